"""What a reviewer sees, and the names that answers come back under."""

import xml.etree.ElementTree as ET
from html import escape
from urllib.parse import quote

from db import Decision

IMAGE, DECISION, REASON, COMMENT, MASK = "image", "decision", "reason", "comment", "mask"
PORTRAIT = "portrait"
"""The only brush label."""

CLICK, BOX = "click", "box"
ADD, REMOVE = "add", "remove"
"""Labels of a click: it belongs to the person, or not."""

SAMPLE_ID = "sample_id"
"""Key of the task's data that holds the request's opaque key."""

MODEL_VERSION = "proposal"
"""Of every prediction. The server shows only predictions of the project's one version, and a
network's name would tell reviewers what to expect: who made a mask is in our own database."""

REASONS = {
    "missing_part": "Part missing",
    "background": "Background in it",
    "other_person": "Somebody else in it",
    "rough_edge": "Rough outline",
    "wrong_subject": "Wrong subject",
    "bad_photo": "Bad photo",
}
"""Why a mask is rejected: code in our database → text on the screen."""

_ANSWERS = {
    Decision.ACCEPT: ("Accept", "a"),
    Decision.REJECT: ("Reject", "r"),
    Decision.FIX: ("Fix", "f"),
}

GUIDELINE = """
<h3>Is this the mask of the main subject?</h3>
<p><b>Accept</b> (<kbd>a</kbd>) a mask that you would not change. <b>Fix</b> (<kbd>f</kbd>) it with
brush and eraser if that takes less than a minute. <b>Reject</b> (<kbd>r</kbd>) it otherwise, and
say why (<kbd>1</kbd>-<kbd>6</kbd>). <kbd>Ctrl</kbd>+<kbd>Enter</kbd> submits.</p>
<p>• <b>Main subject only:</b> the person in the middle of the crop. Others are background, also
those who touch or embrace.</p>
<p>• <b>Hair</b> belongs to the person, up to its visible outline; single flying hairs do not.</p>
<p>• <b>Glasses, hats, headphones, jewellery, clothes</b> and what is strapped on belong.</p>
<p>• <b>Held objects</b> belong: a cup, a phone, an instrument, a pet. Another person does not, nor
what merely stands in front.</p>
<p>• <b>Gaps</b> through which the background shows, between arm and body for instance, are
background once they are wider than a finger.</p>
<p>• <b>Edges</b> may be a few pixels off. Accept them unless a whole part is wrong.</p>
<p>• To add, <b>paint</b> (<kbd>b</kbd>). To <b>erase</b>, take the eraser (<kbd>e</kbd>); if
nothing is selected, the screen says so: <kbd>Alt</kbd>+<kbd>.</kbd> selects the mask.</p>
<p>• Where the screen has <b>add</b>, <b>remove</b> and <b>box</b>, a click mends: <kbd>s</kbd> and
a click on what is missing, <kbd>x</kbd> and one on what is too much, <kbd>q</kbd> and a box around
the person.</p>
<p>• On a server that <code>dataengine review server</code> started, <kbd>a</kbd> accepts and
sends, a digit rejects for that reason, a stroke or a click means a fix, and <kbd>Enter</kbd>
sends.</p>
"""


def labeling_config() -> str:
    """Label Studio's XML: the photo as large as can be, all that is to be said of it beside it."""
    answers = "".join(
        f'<Choice value="{text}" alias="{decision}" hotkey="{key}"/>'
        for decision, (text, key) in _ANSWERS.items()
    )
    reasons = "".join(
        f'<Choice value="{escape(text)}" alias="{code}" hotkey="{number}"/>'
        for number, (code, text) in enumerate(REASONS.items(), 1)
    )
    return f"""<View>
  <Style>{_STYLE}</Style>
  <View className="de-screen">
    <View className="de-photo">
      <Image name="{IMAGE}" value="${IMAGE}" zoom="true" zoomControl="true"
        crossOrigin="anonymous" defaultZoom="fit" maxHeight="calc(100vh - var(--de-around))"/>
    </View>
    <View className="de-panel">
      <Choices name="{DECISION}" toName="{IMAGE}" choice="single-radio"
        required="true" requiredMessage="Accept, reject or fix?">{answers}</Choices>
      <View className="de-reasons" visibleWhen="choice-selected" whenTagName="{DECISION}"
        whenChoiceValue="Reject">
        <Choices name="{REASON}" toName="{IMAGE}" choice="multiple"
          required="true" requiredMessage="Why is it rejected?">{reasons}</Choices>
      </View>
      <BrushLabels name="{MASK}" toName="{IMAGE}">
        <Label value="{PORTRAIT}" background="#00e5ff" hotkey="b" selected="true"/>
      </BrushLabels>
      <TextArea name="{COMMENT}" toName="{IMAGE}" rows="1" maxSubmissions="1" editable="true"
        placeholder="Comment" showSubmitButton="false"/>
    </View>
  </View>
</View>"""


# Draws a thin tint and an outline of two colours, of which one is seen on any photo.
_OUTLINE = quote(
    """<svg xmlns='http://www.w3.org/2000/svg'><filter id='f' x='0' y='0' width='1' height='1'
color-interpolation-filters='sRGB'>
<feMorphology in='SourceAlpha' operator='dilate' radius='3' result='outer'/>
<feMorphology in='SourceAlpha' operator='dilate' radius='1.5' result='inner'/>
<feFlood flood-color='#000' flood-opacity='.75'/><feComposite in2='outer' operator='in'/>
<feComposite in2='inner' operator='out' result='dark'/>
<feFlood flood-color='#fff34d'/><feComposite in2='inner' operator='in'/>
<feComposite in2='SourceAlpha' operator='out' result='bright'/>
<feComponentTransfer in='SourceGraphic' result='tint'>
<feFuncA type='linear' slope='.22'/></feComponentTransfer>
<feMerge><feMergeNode in='dark'/><feMergeNode in='bright'/><feMergeNode in='tint'/></feMerge>
</filter></svg>""".replace("\n", " "),
    safe="/:=' ",
)
# What is above and below the photo: the page's head and foot, and where a task is opened by itself
# a row of its answers.
_STYLE = f"""
  .lsf-editor {{ --de-around: 112px; }}
  .lsf-editor:has(.lsf-topbar) {{ --de-around: 154px; }}
  .de-screen {{ display: flex; gap: 16px; align-items: flex-start; }}
  .de-photo {{ flex: 1; min-width: 0; }}
  .de-panel {{ width: 190px; flex: none; display: flex; flex-direction: column; gap: 18px; }}
  .de-panel .lsf-choices, .de-panel .lsf-labels {{ margin: 0 !important; padding: 0; gap: 0; }}
  .de-panel .lsf-choice {{ margin: 0 !important; padding: 0; line-height: 28px; }}
  .de-panel .lsf-choice * {{ margin-bottom: 0 !important; }}
  .de-panel .lsf-label_selected, .de-panel .lsf-label_selected * {{ color: #000 !important; }}
  .lsf-editor .lsf-sidepanels__wrapper {{ display: none; }}
  .lsf-editor .lsf-sidepanels {{ padding: 0 !important; }}
  .lsf-editor .lsf-sidepanels__content {{ max-width: none !important; width: 100% !important; }}
  .de-photo {{ position: relative; }}
  .de-photo:has(.lsf-tool_active.lsf-tool_disabled)::before {{
    content: "Nothing is selected, so the eraser does nothing: Alt+. selects the mask";
    position: absolute; z-index: 10; top: 12px; left: 12px; padding: 8px 14px; border-radius: 6px;
    background: #b3261e; color: #fff; font-weight: 600; pointer-events: none;
  }}
  .de-photo .lsf-toolbar {{ margin-top: 60px; }}
  .konvajs-content canvas[style*="opacity: 0.6"] {{
    opacity: 1 !important;
    filter: url("data:image/svg+xml,{_OUTLINE}#f");
  }}
"""


def missing_from(config: str) -> list[str]:
    """What a project's labeling config lacks of what answers are read from.

    Texts, style and order may have been changed by hand; names and choices may not.

    Returns:
        Descriptions, empty if all is there.
    """
    try:
        root = ET.fromstring(config)  # noqa: S314  (from the server that we are logged in to)
    except ET.ParseError as error:
        return [f"readable XML ({error})"]
    found = {element.get("name"): element for element in root.iter() if element.get("name")}
    wanted = {
        DECISION: ("Choices", {decision.value for decision in _ANSWERS}),
        REASON: ("Choices", set(REASONS)),
        COMMENT: ("TextArea", set()),
        MASK: ("BrushLabels", {PORTRAIT}),
        IMAGE: ("Image", set()),
    }
    missing = []
    for name, (tag, values) in wanted.items():
        element = found.get(name)
        if element is None or element.tag != tag:
            missing.append(f'<{tag} name="{name}">')
            continue
        offered = {child.get("alias") or child.get("value") for child in element}
        missing.extend(f"{value!r} of {name!r}" for value in sorted(values - offered))
    return missing
