"""Pictures that the user's own code saves: samples of a generator, predictions, films, pages of figures."""

import sys

from runlore.guest.wrapping import Wrappers
from runlore_scripts._calls import follow_all, writes

WRITERS = ("imwrite", "imsave", "mimwrite", "mimsave", "get_writer")


def follow_pages(wrappers: Wrappers) -> None:
    """Follow the file of `PdfPages`, which is written as figures are saved into it."""
    wrappers.follow(sys.modules["matplotlib.backends.backend_pdf"].PdfPages, "__init__", writes("plot", 1, "filename"))


def follow_animation(wrappers: Wrappers) -> None:
    """Follow `Animation.save`."""
    wrappers.follow(sys.modules["matplotlib.animation"].Animation, "save", writes("plot", 1, "filename"))


def follow_image(wrappers: Wrappers) -> None:
    """Follow `imsave`, which that of pyplot calls."""
    wrappers.follow(sys.modules["matplotlib.image"], "imsave", writes("plot", 0, "fname"))


def follow_pillow(wrappers: Wrappers) -> None:
    """Follow `Image.save`, by which most others save, too."""
    wrappers.follow(sys.modules["PIL.Image"].Image, "save", writes("image", 1, "fp"))


def follow_torchvision(wrappers: Wrappers) -> None:
    """Follow `save_image`."""
    wrappers.follow(sys.modules["torchvision.utils"], "save_image", writes("image", 1, "fp"))


def follow_opencv(wrappers: Wrappers) -> None:
    """Follow `cv2.imwrite`."""
    wrappers.follow(sys.modules["cv2"], "imwrite", writes("image", 0, "filename"))


def follow_imageio(wrappers: Wrappers) -> None:
    """Follow what writes pictures and films, of version 2, whose names the package offers, and of version 3."""
    follow_all(wrappers, sys.modules["imageio"], WRITERS, lambda name: writes("image", 0, "uri"))
    wrappers.follow(sys.modules["imageio.v3"], "imwrite", writes("image", 0, "uri"))
