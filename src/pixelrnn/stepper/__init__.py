"""The compiled loop that runs a program over the pixels of an image, in floats or in integers."""
