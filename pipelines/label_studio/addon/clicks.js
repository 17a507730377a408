// Clicks in our labeling screen, for projects that an ML backend of ours is connected to.
//
// `s` and a click: this belongs to the person; `x` and a click: this does not; `q` and a rectangle:
// the person is in here. Each stays on until another tool is taken (`b`: the brush). Label Studio
// itself takes three more steps: its switch, its smart tool, and the label again for every click.
(() => {
  "use strict";
  if (window.dataengineClicks) return;
  window.dataengineClicks = true;

  const MODES = {
    s: { control: "click", label: "add", tool: "KeyPointTool-dynamic" },
    x: { control: "click", label: "remove", tool: "KeyPointTool-dynamic" },
    q: { control: "box", label: "box", tool: "RectangleTool-dynamic" },
  };
  let mode = null;

  const annotation = () => {
    const found = window.Htx?.annotationStore?.selected;
    const ours = ["image", "mask", "click", "box"].every((name) => found?.names?.has(name));
    return ours && found.type === "annotation" && !found.isReadOnly() ? found : null;
  };
  const manager = (of) => of.names.get("image").getToolsManager();

  const enter = (of, wanted) => {
    const tool = Object.values(manager(of).tools).find((each) => each.fullName === wanted.tool);
    if (!tool || !window.Htx.hasInterface("auto-annotation")) return;
    window.Htx.setAutoAnnotation(true);
    window.Htx.setAutoAcceptSuggestions(true);
    of.unselectAll(); // a label that is taken up would be given to a selected mask
    if (!tool.selected) manager(of).selectTool(tool, true);
    for (const each of of.names.get(wanted.control).children) {
      each.setSelected(each.value === wanted.label);
    }
    mode = wanted;
  };

  window.addEventListener(
    "keydown",
    (event) => {
      const { target, key } = event;
      const writes = /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) && !/^(radio|checkbox)$/.test(target.type);
      if (writes || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
      const of = annotation();
      if (!of || !Object.hasOwn(MODES, key)) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (!event.repeat) enter(of, MODES[key]);
    },
    true,
  );

  window.addEventListener(
    "mousedown",
    (event) => {
      const of = annotation();
      if (!mode || !of || !event.target.closest?.(".konvajs-content")) return;
      if (manager(of).findSelectedTool()?.fullName !== mode.tool) return;
      // What was painted or undone since goes ahead of the click: it is asked about the draft.
      of.saveDraftImmediately();
      enter(of, mode);
    },
    true,
  );
})();
