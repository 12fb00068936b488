"""flowtop beside the tools that people use today, on the same tables: `python -m bench.compare --help`. Root only."""
