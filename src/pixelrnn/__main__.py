"""`python -m pixelrnn` is the same as `pixelrnn`."""

from pixelrnn.cli.main import main

if __name__ == "__main__":
    main()
