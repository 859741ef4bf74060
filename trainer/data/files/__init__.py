"""Files of data -> tables: one module a kind of format; read.py is the door."""
