"""Which mounts enclose a process."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonshub.hub.isolation import Account, Launch, Need, Step, closed_ancestors, enclose, outermost, plan
from commonshub.hub.launcher import LaunchRefused, check_reachable

DATA, HOME = "/srv/data", "/srv/data/workspaces/alice"


def test_a_cover_hides_and_a_need_below_it_is_put_back() -> None:
    needs = [Need("/usr/lib/python"), Need(HOME, writable=True)]
    assert plan(needs, [DATA]) == [Step("cover", DATA), Step("bind", HOME, writable=True)]


def test_outer_paths_come_before_inner_ones() -> None:
    needs = [Need("/root/checkout/.venv"), Need("/root/checkout/.commons/workspaces/a", writable=True)]
    steps = plan(needs, ["/root/checkout/.commons", "/root"])
    assert [step.path for step in steps] == [
        "/root",
        "/root/checkout/.commons",
        "/root/checkout/.venv",
        "/root/checkout/.commons/workspaces/a",
    ]


def test_a_path_needed_twice_is_writable_if_either_says_so() -> None:
    for needs in ([Need(HOME), Need(HOME, writable=True)], [Need(HOME, writable=True), Need(HOME)]):
        assert plan(needs, [DATA])[-1] == Step("bind", HOME, writable=True)


paths = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))


@given(st.lists(paths, max_size=6), st.lists(paths, max_size=4))
def test_nothing_that_is_mounted_is_hidden_by_a_later_step(needs: list[str], covers: list[str]) -> None:
    steps = plan([Need(path) for path in needs], covers)
    for index, step in enumerate(steps):
        later = [other.path for other in steps[index + 1 :]]
        assert not any(step.path != path and step.path.startswith(path + "/") for path in later)


@given(st.lists(paths, max_size=6))
def test_outermost_paths_cover_all_and_none_of_them_is_inside_another(given_paths: list[str]) -> None:
    kept = outermost(given_paths)
    assert all(any(path == one or path.startswith(one + "/") for one in kept) for path in given_paths)
    assert not any(one != other and one.startswith(other + "/") for one in kept for other in kept)


def test_the_outermost_closed_folder_is_found(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "inner" / "deep").mkdir(parents=True)
    closed.chmod(0o700)
    found = closed_ancestors([str(closed / "inner" / "deep")], uid=os.getuid() + 12345)
    assert found
    assert str(closed).startswith(found[0])
    assert closed_ancestors(["/usr/bin"], uid=12345) == []


def test_a_launch_survives_its_way_through_json(tmp_path: Path) -> None:
    launch = enclose(["true"], Account("alice", 70010, HOME), writable=[str(tmp_path)], hidden=[str(tmp_path.parent)])
    assert Launch.parse(launch.document()) == launch


@pytest.mark.parametrize("place", ["/tmp", "/var/tmp", "/dev/shm"])
def test_shared_folders_are_hidden(place: str) -> None:
    assert place in enclose(["true"], Account("alice", 70010, "/")).covers or not os.path.isdir(place)


def test_without_mounts_a_closed_folder_is_named_with_the_remedy(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "python").mkdir()
    launch = Launch(("true",), os.getuid() + 12345, "alice", "/", needs=(Need(str(tmp_path / "python")),))
    with pytest.raises(LaunchRefused, match="is closed to other accounts"):
        check_reachable(launch)
    check_reachable(Launch(("true",), os.getuid() + 12345, "alice", "/", needs=(Need("/usr/bin"),)))
