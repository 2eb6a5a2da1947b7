"""``python -m megafs_video`` is the command ``megafs-video``."""

from megafs_video.cli.main import main

if __name__ == "__main__":
    main()
