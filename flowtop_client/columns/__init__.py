"""What a table can show, and how its columns share a line; read by the screen and by `--text` alike."""
