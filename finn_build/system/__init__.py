"""This machine: files, names from outside, the terminal, how programs end."""
