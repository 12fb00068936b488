"""The numbers, measured on real kernel tables: `python -m bench --help`. Root only; tests have no clocks."""
