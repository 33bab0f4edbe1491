"""Python wrapper of the files of a message."""

from typing import Any

import reflex as rx

from chat_app.scripts import script


class Files(rx.Component):
    """The files of a message, as `FileView`s."""

    library = script("files/files.jsx")
    tag = "Files"
    files: rx.Var[list[Any]]


file_list = Files.create
