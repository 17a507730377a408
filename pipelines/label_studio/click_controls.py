"""The controls for clicks in a project's screen: there once something answers them."""

import xml.etree.ElementTree as ET
from typing import Final

from pipelines.label_studio.screen import ADD, BOX, CLICK, IMAGE, MASK, REMOVE

# Smart only: without Label Studio's own switch they would draw marks that nobody answers.
_CONTROLS: Final = f"""<View>
  <KeyPointLabels name="{CLICK}" toName="{IMAGE}" smart="true" smartOnly="true" strokeWidth="8">
    <Label value="{ADD}" background="#00c853" hotkey="s"/>
    <Label value="{REMOVE}" background="#ff1744" hotkey="x"/>
  </KeyPointLabels>
  <RectangleLabels name="{BOX}" toName="{IMAGE}" smart="true" smartOnly="true">
    <Label value="{BOX}" background="#ffab00" hotkey="q"/>
  </RectangleLabels>
</View>"""


def with_clicks(config: str) -> str:
    """A labeling config with what is clicked by beside the brush; the rest stays as it is.

    Args:
        config: a project's, with our brush.

    Returns:
        The same text if it has the controls already, or no brush of ours.
    """
    root = ET.fromstring(config)  # noqa: S314  (from the server that we are logged in to)
    named = {element.get("name") for element in root.iter()}
    for parent in root.iter():
        for place, element in enumerate(parent):
            if element.get("name") != MASK or element.tag != "BrushLabels":
                continue
            missing = [
                each
                for each in ET.fromstring(_CONTROLS)  # noqa: S314  (ours)
                if each.get("name") not in named
            ]
            for each in reversed(missing):
                if (shown := element.get("showInline")) is not None:
                    each.set("showInline", shown)
                parent.insert(place + 1, each)
            # Or Label Studio's key for smart tools (`m`) would first give a smart brush.
            element.set("smart", "false")
            return ET.tostring(root, encoding="unicode") if missing else config
    return config
