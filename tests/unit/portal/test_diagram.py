"""The picture of the data model."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from commonshub.portal.diagram import BOX_HEIGHT, BOX_WIDTH, draw, layers_of
from commonshub.portal.model import LinkView, NodeView


def node(name: str, *parents: str) -> NodeView:
    links = tuple(LinkView(parent, parent, "of", "many to one", True) for parent in parents)
    return NodeView(name, name.title(), "clinical", "", (), links)


def model(*nodes: NodeView) -> dict[str, NodeView]:
    return {each.id: each for each in nodes}


CHAIN = model(node("file", "aliquot", "case"), node("aliquot", "sample"), node("sample", "case"), node("case"))


def test_a_type_stands_right_of_its_farthest_parent() -> None:
    assert layers_of(CHAIN) == {"case": 0, "sample": 1, "aliquot": 2, "file": 3}


def test_links_to_unknown_types_and_circles_are_passed_over() -> None:
    found = draw(model(node("a", "b"), node("b", "a"), node("c", "nowhere"), node("d", "d")))
    assert {box.node.id for box in found.boxes} == {"a", "b", "c", "d"}
    assert len(found.lines) <= 1


def test_an_empty_dictionary_has_an_empty_picture() -> None:
    assert draw({}).boxes == ()


def test_long_titles_take_two_lines() -> None:
    titled = NodeView("x", "Core Metadata Collection", "clinical", "", (), ())
    assert draw({"x": titled}).boxes[0].title == ("Core Metadata", "Collection")


@st.composite
def models(draw_: st.DrawFn) -> dict[str, NodeView]:
    count = draw_(st.integers(1, 14))
    nodes = []
    for number in range(count):
        parents = draw_(st.sets(st.integers(0, number - 1), max_size=3)) if number else set()
        nodes.append(node(f"n{number}", *(f"n{parent}" for parent in sorted(parents))))
    return model(*nodes)


@given(models())
def test_boxes_stay_apart_and_inside_and_every_link_is_drawn(nodes: dict[str, NodeView]) -> None:
    picture = draw(nodes)
    assert {(line.source, line.target) for line in picture.lines} == {
        (each.id, link.target) for each in nodes.values() for link in each.links
    }
    for box in picture.boxes:
        assert 0 <= box.x <= picture.width - BOX_WIDTH
        assert 0 <= box.y <= picture.height - BOX_HEIGHT
    for one, other in combinations(picture.boxes, 2):
        assert abs(one.x - other.x) >= BOX_WIDTH or abs(one.y - other.y) >= BOX_HEIGHT
