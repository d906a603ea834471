"""Command: a program that reads rows as CSV on its standard input and writes answers as CSV on its standard output."""
