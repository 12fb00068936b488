"""What flowtop promises under load, faults and hostile neighbours, put to the test: `python -m stress`."""
