// Clicks in our labeling screen, for projects that an ML backend of ours is connected to.
//
// `s` and a click: this belongs to the person; `x` and a click: this does not; `q` and a rectangle:
// the person is in here. Each stays on until another tool is taken (`b`: the brush). Label Studio
// itself takes three more steps: its switch, its smart tool, and the label again for every click.
// A click counts wherever it is, within the mask as well, and Ctrl+Z takes it back with its answer.
(() => {
  "use strict";
  if (window.dataengineClicks) return;

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

  // Marks whose answer is not there yet. (`dynamic`: Label Studio's word for what asks.)
  const isPending = (of) => of.regions.some((each) => each.dynamic);
  window.dataengineClicks = { isPending };

  // The number of the backend's last answer, which it knows by itself. What was painted or undone
  // since it learns from the draft: then that goes ahead of the click.
  let last = { number: null };
  const isAsAnswered = (of) =>
    of.regions
      .filter((each) => each.type === "brushregion")
      .every((each) => !each.touches.length && each.results[0]?.meta?.answer === last.number);

  // Undo and redo stop at no mark without an answer: it would stay there and be asked about again.
  const watched = new WeakSet();
  const watch = (of) => {
    if (watched.has(of)) return;
    watched.add(of);
    const { history } = of;
    let seen = {};
    history.onUpdate(() => {
      // Whoever has done something since was at the end, whence one can only go back.
      const isBack = history.history !== seen.states || history.undoIdx < seen.place;
      seen = { states: history.history, place: history.undoIdx };
      last = { number: null };
      if (window.Htx.awaitingSuggestions) window.Htx.loadSuggestions(Promise.resolve(), () => null);
      if (!isPending(of)) return;
      if (isBack && history.canUndo) history.undo();
      else if (!isBack && history.canRedo) history.redo();
      else of.deleteAllDynamicregions(true);
    });
  };

  const enter = (of, wanted) => {
    const tool = Object.values(manager(of).tools).find((each) => each.fullName === wanted.tool);
    if (!tool || !window.Htx.hasInterface("auto-annotation")) return;
    window.Htx.setAutoAnnotation(true);
    window.Htx.setAutoAcceptSuggestions(true);
    watch(of);
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

  const clicked = (event) => {
    const of = mode && event.target.closest?.(".konvajs-content") ? annotation() : null;
    return of && manager(of).findSelectedTool()?.fullName === mode.tool ? of : null;
  };
  window.addEventListener(
    "mousedown",
    (event) => {
      const of = clicked(event);
      if (!of) return;
      if (!isAsAnswered(of)) of.saveDraftImmediately();
      enter(of, mode);
    },
    true,
  );
  window.addEventListener(
    "mouseup",
    (event) => {
      // Or a click into the mask would select it, which takes the click's label away.
      clicked(event)?.names.get("image").setSkipInteractions(true);
    },
    true,
  );

  const fetchNow = window.fetch;
  const drafts = new Set(); // on their way
  window.fetch = async (...request) => {
    const url = String(request[0]?.url ?? request[0]);
    const asks = url.includes("/interactive-annotating");
    const mine = last;
    if (asks) {
      await Promise.allSettled(drafts);
      if (mine !== last) return Response.json({}); // undone meanwhile
    }
    const answer = fetchNow.apply(window, request);
    if (asks) {
      const number = async () => (await (await answer).clone().json()).data.result[0].meta.answer;
      number().then((given) => { mine.number = given; }, () => {});
    } else if (/\/drafts([/?]|$)/.test(url)) {
      drafts.add(answer);
      const end = () => drafts.delete(answer);
      answer.then(end, end);
    }
    return answer;
  };
})();
