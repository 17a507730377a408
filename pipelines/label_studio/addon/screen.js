// What our labeling screen does beyond Label Studio, for projects with our labeling configuration.
//
// The mask is selected when a task opens, and whenever brush or eraser touch the photo, so that both
// act on it. One key accepts and sends. A stroke means a fix, a digit a rejection for that reason;
// Enter sends, Ctrl+Enter from within the comment, too: after the answer to the last click, which no
// stroke overtakes either. The photos that come next are fetched ahead.
// Label Studio's own store is `window.Htx`, as of its version 1.23: where that is another one, all
// this switches itself off, and says so.
(() => {
  "use strict";
  if (window.dataengineScreen) return;
  window.dataengineScreen = true;

  const AHEAD = 2; // photos fetched before they are asked for
  const LOOK_MS = 50; // between two looks at which task is open
  const SAID_MS = 4000;
  const ASKED_MS = 500; // after which a click has been asked about, or never will be
  const UNANSWERED = "A click was not answered: Ctrl+Z takes it back.";
  let opened = null; // { annotation, drawn }: what is open, and how its mask was when it opened
  let sending = null; // { annotation, at }: what is sent as soon as its last click is answered

  const annotation = () => {
    const store = window.Htx?.annotationStore;
    const found = store?.viewingAll ? null : store?.selected; // not where answers are compared
    const ours = ["image", "decision", "reason", "mask"].every((name) => found?.names?.has(name));
    return ours && found.type === "annotation" && !found.isReadOnly() ? found : null;
  };
  const masks = (of) => of.regionStore.regions.filter((each) => each.type === "brushregion");
  const isShown = (of) => Boolean(of.names.get("image").currentImageEntity?.imageLoaded);

  // All that is drawn, as a short text: undoing a stroke gives the same text again.
  const drawn = (of) =>
    masks(of)
      .map((each) => {
        let hash = 0;
        for (const value of each.rle ?? []) hash = (hash * 31 + value) | 0;
        return `${each.rle?.length ?? 0}:${hash}:${each.touches.length}`;
      })
      .join();
  const isChanged = (of) => opened?.annotation === of && drawn(of) !== opened.drawn;

  const decision = (of) => of.names.get("decision").children.find((each) => each.sel)?.alias;
  const choose = (of, alias) => {
    const choice = of.names.get("decision").children.find((each) => each.alias === alias);
    if (!choice.sel) choice.toggleSelected();
  };

  const select = (of) => {
    const [mask] = masks(of);
    if (mask && !of.highlightedNode) of.selectArea(mask);
  };

  const say = (text) => {
    const line = document.createElement("div");
    line.textContent = text;
    line.setAttribute("role", "status");
    line.style.cssText =
      "position:fixed;left:50%;top:60px;transform:translateX(-50%);z-index:9999;padding:10px 18px;" +
      "border-radius:6px;background:#222;color:#fff;font:15px sans-serif";
    document.body.append(line);
    setTimeout(() => line.remove(), SAID_MS);
  };

  const isPending = (of) => Boolean(window.dataengineClicks?.isPending(of));

  const send = (of) => {
    const store = window.Htx;
    if (store.isSubmitting || store.isLoading || !isShown(of)) return;
    if (isPending(of)) {
      sending ??= { annotation: of, at: Date.now() };
      return;
    }
    sending = null;
    if (!decision(of) && isChanged(of)) choose(of, "fix");
    of.submissionInProgress?.();
    if (of.pk) store.updateAnnotation();
    else store.submitAnnotation();
  };

  const sendWaiting = (of) => {
    const { annotation: wanted, at } = sending;
    const isAsked = window.Htx.awaitingSuggestions || Date.now() - at < ASKED_MS;
    if (wanted === of && isPending(of) && isAsked) return;
    sending = null;
    if (wanted !== of) return;
    if (isPending(of)) say(UNANSWERED);
    else send(of);
  };

  const accept = (of) => {
    if (!isShown(of)) return;
    if (isPending(of) || isChanged(of)) {
      say("The mask was changed: Enter sends it as a fix, Ctrl+Z takes a stroke back.");
      return;
    }
    choose(of, "accept");
    send(of);
  };

  const reject = (of, digit) => {
    choose(of, "reject");
    of.names.get("reason").children[digit - 1].toggleSelected();
  };

  // Label Studio's own key lays the label down again where the brush is held already.
  const takeBrush = (of) => {
    const manager = of.names.get("image").getToolsManager();
    const brush = manager.allTools().find((each) => each.fullName === "BrushTool");
    if (!brush.selected) manager.selectTool(brush, true);
    for (const label of of.names.get("mask").children) {
      if (!label.selected) label.setSelected(true);
    }
    select(of);
  };

  // What a key does; undefined: what Label Studio does with it.
  const meaning = (event, of) => {
    const { key, target } = event;
    // Label Studio's own keys are dead after a click on a choice: that is a field to it.
    const isChoice = target.type === "radio" || target.type === "checkbox";
    const writes = /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) && !isChoice;
    if (key === "Enter" && (event.ctrlKey || event.metaKey)) return () => send(of);
    if (writes || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return undefined;
    if (key === "Enter" && target.tagName !== "BUTTON") return () => send(of);
    if (key === "a") return () => accept(of);
    if (key === "b") return () => takeBrush(of);
    if (key === "r") return () => choose(of, "reject");
    if (key === "f") return () => choose(of, "fix");
    // Backspace deletes what is selected: the mask, which was not selected by whoever types.
    if (key === "Backspace") return () => say("Ctrl+Backspace deletes the whole mask.");
    const reasons = of.names.get("reason").children.length;
    const mayReject = !decision(of) || decision(of) === "reject";
    if (mayReject && Number(key) >= 1 && Number(key) <= reasons) {
      return () => reject(of, Number(key));
    }
    return undefined;
  };

  let isOff = false;
  const listen = (name, act) =>
    window.addEventListener(name, (event) => carefully(() => act(event)), true);
  const carefully = (act) => {
    if (isOff) return;
    try {
      act();
    } catch (error) {
      isOff = true;
      console.warn("our keys are off", error);
      say("This Label Studio is not the one our keys are made for: Ctrl+Enter sends.");
    }
  };

  const isAsking = () => Boolean(document.querySelector(".ant-modal-wrap:not([style*='none'])"));
  listen("keydown", (event) => {
    const of = annotation();
    const act = of && !isAsking() && meaning(event, of);
    if (!act) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.repeat) return;
    sending = null;
    act();
  });

  // Not those of clicks and boxes: a selected mask would take their label away.
  const isDrawing = (of) => {
    const tool = of.names.get("image").getToolsManager().findSelectedTool();
    return tool && !tool.dynamic && /^(Brush|Eraser)Tool/.test(tool.fullName);
  };
  listen("mousedown", (event) => {
    const of = annotation();
    const isOverPhoto = event.target.closest?.(".konvajs-content");
    if (!of || !isOverPhoto || !isDrawing(of)) return;
    if (isPending(of)) {
      event.stopImmediatePropagation(); // the answer would take the stroke's place
      say(window.Htx.awaitingSuggestions ? "The click is answered first." : UNANSWERED);
    } else select(of);
  });
  listen("mouseup", () => {
    // Label Studio ends the stroke first.
    setTimeout(() =>
      carefully(() => {
        const of = annotation();
        if (of && isChanged(of) && decision(of) !== "reject") choose(of, "fix");
      }),
    );
  });

  const fetchAhead = async (taskId) => {
    const project = /\/projects\/(\d+)\//.exec(location.pathname)?.[1];
    if (!project) return;
    const root = location.pathname.slice(0, location.pathname.indexOf("/projects/"));
    const filter = (name, operator, value) => ({
      filter: `filter:tasks:${name}`, operator, type: "Number", value,
    });
    const query = {
      filters: {
        conjunction: "and",
        items: [filter("id", "greater", taskId), filter("total_annotations", "equal", 0)],
      },
      ordering: ["tasks:id"],
    };
    const asked = new URLSearchParams({
      project, query: JSON.stringify(query), fields: "task_only", include: "id,data",
      page_size: AHEAD,
    });
    const answer = await fetch(`${root}/api/tasks/?${asked}`);
    if (!answer.ok) return;
    for (const task of (await answer.json()).tasks) await fetch(task.data.image);
  };

  const look = () => {
    const of = annotation();
    if (sending) sendWaiting(of);
    if (of && isDrawing(of)) select(of); // also after clicks and Ctrl+Z, which select nothing
    if (!of || of === opened?.annotation || !masks(of).length || !isShown(of)) return;
    opened = { annotation: of, drawn: drawn(of) };
    select(of);
    // Whatever goes wrong there costs a moment, and nothing else.
    fetchAhead(Number(window.Htx.task.id)).catch(() => {});
  };
  setInterval(() => carefully(look), LOOK_MS);
})();
