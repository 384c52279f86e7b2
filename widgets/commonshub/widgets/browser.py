"""A browser of projects and files, made of ipywidgets' own parts.

It is a view: each action is a method that can be called from a cell, and the work is done by
:class:`commonshub.client.Commons`. Presigned URLs and tokens never become widget state, which notebooks save.

All of it works by keyboard: Tab goes from part to part, Space chooses a file and presses a button. JupyterLab takes
arrow keys and letters for its own commands (``d d`` deletes a cell) wherever the focus is not in a text field, so
there are text fields, check boxes and buttons here, but no select boxes.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from html import escape
from itertools import zip_longest
from typing import Any

import ipywidgets as ipw

from commonshub.client import Commons, CommonsError, Downloads, NotFound
from commonshub.client.display import size_text

from .listing import Listing, code, guid_of, label

_REDRAW_S = 0.1
_NO_PROJECTS = (
    "There is no project here that you may read. Ask the commons' data access committee, or sign in as another."
)
_NO_FILES = "This project has no files that you may see."
_NO_MATCH = "No file matches the filter."


class FileBrowser(ipw.VBox):  # type: ignore[misc]
    """Browse the files of a commons, choose some, download them, or take the code that does so.

    Parameters
    ----------
    commons
        The commons; by default the one that ``Commons()`` finds.
    project
        The project to show first; by default all that you may read.
    folder
        Where downloads go.
    page_size
        Files on a page.
    """

    def __init__(
        self, commons: Commons | None = None, project: str | None = None, folder: str = "data", page_size: int = 10
    ) -> None:
        self._commons = commons
        self.listing = Listing(page_size=page_size)
        self._titles: dict[str, str] = {}
        self._quiet = False
        self._cancel = threading.Event()
        self._worker: threading.Thread | None = None
        self._build(folder)
        super().__init__(children=self._rows())
        with self._told():
            self._commons = commons or Commons()
            self.show_projects()
            if self._titles:
                self.choose_project(project)

    # -- actions ---------------------------------------------------------------

    @property
    def commons(self) -> Commons:
        """The commons that is browsed.

        Raises
        ------
        NoCredentials
            There was nothing to sign in with.
        """
        if self._commons is None:
            self._commons = Commons()
        return self._commons

    def show_projects(self) -> None:
        """Ask for the projects."""
        frame = self.commons.projects()
        if frame.empty:
            self._say(_NO_PROJECTS)
            return
        titles = frame["name"] if "name" in frame.columns else frame["project_id"]
        pairs = zip(frame["project_id"], titles, strict=True)
        self._titles = {each if str(title) == each else f"{each}: {title}": each for each, title in pairs}
        self.projects.options = tuple(self._titles)

    def choose_project(self, project: str | None) -> None:
        """Show the files of a project, or of all with None.

        Raises
        ------
        NotFound
            There is no such project, or you may not read it.
        """
        if project is not None and project not in self._titles.values():
            raise NotFound(f"There is no project {project!r} that you may read.")
        with self._silently():
            self.projects.value = next((title for title, each in self._titles.items() if each == project), "")
        frame = self.commons.files(project)
        rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
        self.listing.replace(rows)
        self._draw()

    def filter(self, words: str) -> None:
        """Show only files in which each of the words occurs."""
        with self._silently():
            self.words.value = words
        self.listing.filter(words)
        self._draw()

    def turn(self, page: int) -> None:
        """Show a page, counted from 0."""
        self.listing.turn(page)
        self._draw()

    def select(self, guids: Iterable[str]) -> None:
        """Add files to the choice.

        Raises
        ------
        KeyError
            There is no such file in the project.
        """
        self.listing.choose(guids)
        self._draw()

    def select_all(self) -> None:
        """Choose every file that the filter shows, on all pages."""
        self.select(guid_of(row) for row in self.listing.matching)

    def clear(self) -> None:
        """Choose nothing."""
        self.listing.chosen = {}
        self._draw()

    def code(self) -> str:
        """A cell that downloads the choice without this browser."""
        return code(self.commons.origin, self.listing.chosen.values(), self.folder.value)

    def download(self) -> Downloads:
        """Download the choice and return the files.

        Raises
        ------
        TransferFailed
            Some files could not be fetched.
        """
        if not self.listing.chosen:
            self._say("Choose files first: a click or Space ticks one, 'Choose all' ticks all that the filter shows.")
            return Downloads()
        self._cancel.clear()
        self._busy(True)
        try:
            files = self.commons.download(
                list(self.listing.chosen), self.folder.value or ".", progress=_Shown(self.bar), cancel=self._cancel
            )
        finally:
            self._busy(False)
        self._say(f"{len(files)} files are in {self.folder.value or '.'}, verified against the record.", good=True)
        return files

    def stop(self) -> None:
        """Stop a running download; it can be continued later."""
        self._cancel.set()

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait for a download that the button has started."""
        if self._worker is not None:
            self._worker.join(timeout_s)

    # -- parts -----------------------------------------------------------------

    def _build(self, folder: str) -> None:
        wide, style = ipw.Layout(width="auto"), {"description_width": "4em"}
        self.projects = ipw.Combobox(
            description="Project", placeholder="all projects; click or type to choose one", layout=wide, style=style
        )
        self.words = ipw.Text(
            description="Filter", placeholder="words in the name, type or format", layout=wide, style=style
        )
        self.boxes = [
            ipw.Checkbox(indent=False, layout=ipw.Layout(width="auto")) for _ in range(self.listing.page_size)
        ]
        self.back = ipw.Button(description="Previous", tooltip="Previous page")
        self.forth = ipw.Button(description="Next", tooltip="Next page")
        self.all = ipw.Button(description="Choose all", tooltip="Choose all files that match the filter, on all pages")
        self.none = ipw.Button(description="Choose none", tooltip="Choose nothing")
        self.where = ipw.Label()
        self.folder = ipw.Text(value=folder, description="Folder", layout=wide, style=style)
        self.start = ipw.Button(description="Download", button_style="primary", tooltip="Download the chosen files")
        self.halt = ipw.Button(description="Stop", tooltip="Stop; a later download continues", disabled=True)
        self.bar = ipw.FloatProgress(min=0, max=1, layout=ipw.Layout(width="50%", visibility="hidden"))
        self.message = ipw.HTML()
        self.text = ipw.Textarea(
            description="Code",
            disabled=True,
            rows=8,
            layout=wide,
            style=style,
            placeholder="Choose files to see the code.",
        )
        self.projects.observe(self._on_project, "value")
        self.words.observe(self._on_words, "value")
        for box in self.boxes:
            box.observe(self._on_box, "value")
        self.folder.observe(lambda _: self._draw_choice(), "value")
        self.back.on_click(lambda _: self.turn(self.listing.page - 1))
        self.forth.on_click(lambda _: self.turn(self.listing.page + 1))
        self.all.on_click(lambda _: self.select_all())
        self.none.on_click(lambda _: self.clear())
        self.start.on_click(self._on_download)
        self.halt.on_click(lambda _: self.stop())

    def _rows(self) -> list[Any]:
        return [
            self.projects,
            self.words,
            ipw.VBox(self.boxes, layout=ipw.Layout(margin="0 0 0 4.5em")),
            ipw.HBox([self.back, self.forth, self.all, self.none]),
            self.where,
            self.folder,
            ipw.HBox([self.start, self.halt, self.bar]),
            self.message,
            self.text,
        ]

    def _draw(self) -> None:
        shown, listing = self.listing.shown, self.listing
        with self._silently():
            for box, row in zip_longest(self.boxes, shown):
                box.layout.display = None if row else "none"
                box.description = label(row) if row else ""
                box.value = bool(row) and guid_of(row) in listing.chosen
        self.back.disabled = listing.page == 0
        self.forth.disabled = listing.page + 1 >= listing.pages
        if not listing.rows:
            self._say(_NO_FILES)
        elif not shown:
            self._say(_NO_MATCH)
        else:
            self._say("")
        self._draw_choice()

    def _draw_choice(self) -> None:
        listing = self.listing
        self.where.value = (
            f"page {listing.page + 1} of {listing.pages}, {len(listing.matching)} files; "
            f"{len(listing.chosen)} chosen ({size_text(listing.chosen_bytes)})"
        )
        self.text.value = self.code() if listing.chosen else ""

    def _busy(self, busy: bool) -> None:
        self.start.disabled = busy
        self.halt.disabled = not busy
        self.bar.layout.visibility = "visible" if busy else "hidden"

    def _say(self, text: str, good: bool = False) -> None:
        mark = "✓ " if good else ""
        self.message.value = (
            f"<div role='status' style='white-space: pre-wrap'>{mark}{escape(text)}</div>" if text else ""
        )

    # -- what the browser's user does --------------------------------------------

    def _on_project(self, change: Any) -> None:
        text = change["new"].strip()
        project = self._titles.get(text, text)
        # While somebody types, the text is no project yet.
        if not self._quiet and (not project or project in self._titles.values()):
            with self._told():
                self.choose_project(project or None)

    def _on_words(self, change: Any) -> None:
        if not self._quiet:
            self.filter(change["new"])

    def _on_box(self, change: Any) -> None:
        if not self._quiet:
            self.listing.toggle(self.listing.shown[self.boxes.index(change["owner"])], change["new"])
            self._draw_choice()

    def _on_download(self, _: Any) -> None:
        # In a thread, so that the kernel stays free and Stop works.
        if self._worker is None or not self._worker.is_alive():
            self._worker = threading.Thread(target=self._download_told, name="download", daemon=True)
            self._worker.start()

    def _download_told(self) -> None:
        with self._told():
            self.download()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Show an error of the commons where its user looks."""
        try:
            yield
        except (CommonsError, OSError) as error:
            self._say(str(error))

    @contextmanager
    def _silently(self) -> Iterator[None]:
        """Change parts without taking it for the user's doing."""
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before


class _Shown:
    """A download's progress in a bar that is not redrawn more often than eyes can follow."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._count = 0
        self._drawn = 0.0

    def start(self, total_bytes: int) -> None:
        """Empty the bar."""
        self._bar.max = max(1, total_bytes)
        self._bar.value = 0

    def update(self, count_bytes: int) -> None:
        """Move the bar."""
        self._count += count_bytes
        now = time.monotonic()
        if now - self._drawn >= _REDRAW_S:
            self._drawn = now
            self._bar.value = self._count

    def close(self) -> None:
        """Show how far it came."""
        self._bar.value = self._count
