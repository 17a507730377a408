"""What is clicked by, in a project's screen."""

import xml.etree.ElementTree as ET

from pipelines.label_studio.click_controls import with_clicks
from pipelines.label_studio.screen import labeling_config, missing_from


def names(config: str) -> list[str]:
    return [name for each in ET.fromstring(config).iter() if (name := each.get("name"))]


def test_the_controls_come_beside_the_brush_and_the_rest_stays() -> None:
    plain = labeling_config()
    clicked = with_clicks(plain)
    place = names(clicked).index("mask")
    assert names(clicked)[place : place + 3] == ["mask", "click", "box"]
    assert missing_from(clicked) == []
    assert [name for name in names(clicked) if name not in ("click", "box")] == names(plain)
    style = ET.fromstring(clicked).find("Style")
    assert style is not None
    assert style.text == ET.fromstring(plain).findtext("Style")


def test_they_come_once() -> None:
    clicked = with_clicks(labeling_config())
    assert with_clicks(clicked) == clicked


def test_what_was_changed_by_hand_stays() -> None:
    changed = labeling_config().replace('value="Accept"', 'value="Gut &amp; fertig"')
    assert 'value="Gut &amp; fertig"' in with_clicks(changed)


def test_a_screen_that_is_not_ours_is_left_alone() -> None:
    other = '<View><Image name="image" value="$image"/></View>'
    assert with_clicks(other) == other
