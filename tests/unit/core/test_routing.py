"""A request is held against the routes of its first segment alone, and finds what it found before."""

from typing import Any

import pytest
from tornado import httputil, web

from commonshub.core.routing import Route, common, grouped


class A(web.RequestHandler):
    pass


class B(web.RequestHandler):
    pass


class C(web.RequestHandler):
    pass


ROUTES: list[Route] = [
    (r"/a/x/?", A),
    (r"/a/(.+?)/?", B),
    (r"/b(?:-c)?/x/?", A),
    (r"/b/(.+)", B),
    (r"/a/(.*)", C),
    (r"/d/?", A),
    (r"/d/x", B),
    (r"/(.*)", C),
]


def handler(routes: list[Route], path: str) -> Any:
    application = web.Application(routes)
    start = httputil.RequestStartLine("GET", path, "HTTP/1.1")
    request = httputil.HTTPServerRequest(start_line=start, headers=httputil.HTTPHeaders({"Host": "localhost"}))
    delegate: Any = application.find_handler(request)
    return delegate.handler_class, delegate.path_args


@pytest.mark.parametrize(
    "path",
    [
        "/a/x",
        "/a/x/",
        "/a/y",
        "/a/y/",
        "/a/",
        "/a",
        "/b/x",
        "/b-c/x",
        "/b/y/z",
        "/",
        "/c/d",
        "/d",
        "/d/",
        "/d/x",
        "/d/y",
    ],
)
def test_a_path_has_the_handler_of_the_first_route_that_fits(path: str) -> None:
    assert handler(grouped(ROUTES), path) == handler(ROUTES, path)


def test_neighbours_with_one_first_segment_are_one_route() -> None:
    assert [(route[0], len(route[1]) if isinstance(route[1], list) else 1) for route in grouped(ROUTES)] == [
        ("/a/.*", 2),
        (r"/b(?:-c)?/x/?", 1),
        ("/b/.*", 1),
        ("/a/.*", 1),
        ("/d/?", 1),
        ("/d/.*", 1),
        ("/(.*)", 1),
    ]


@pytest.mark.parametrize(
    ("path", "found"),
    [("/_status", True), ("/user/_status", True), ("/.well-known/_status", True), ("/xwell-known/_status", False)],
)
def test_a_common_path_is_at_the_root_and_below_each_prefix(path: str, found: bool) -> None:
    pattern = common(["/user", "/.well-known"], "/_status")
    assert (handler([(pattern, A)], path)[0] is A) is found
