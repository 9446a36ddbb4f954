"""Reports: values and a stream in, text out.

Must not: know where values came from, read or write files, or look at the terminal; width and colours are handed in.
"""
