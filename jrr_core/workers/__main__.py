"""A worker's process, as `member` starts it; not for people."""

from .worker import main

if __name__ == "__main__":
    main()
