// The page: where frames come from, what a person chooses, and what is said of both.
import { Segmenter } from "./segmenter.js";
import { Painter } from "./painter.js";

const LONGEST_PX = 4096; // telephones have no memory for more
const FRAMES = 30;
const SAY_EVERY_MS = 400;

const $ = (id) => document.getElementById(id);
const canvas = $("canvas"), stage = $("stage"), file = $("file"), controls = $("controls");
const video = document.createElement("video");
video.playsInline = true;
video.muted = true;

let segmenter, painter, stream = null, picture = null, spent = [], said = 0, turn = Promise.resolve();

document.documentElement.classList.add("started");
stage.classList.add("empty");
start();

async function start() {
  $("said").textContent = "Loading the network and its runtime (11 MB) …";
  try {
    segmenter = await Segmenter.load("network.json");
  } catch (error) {
    complain(`The network cannot be loaded: ${error.message}`);
    return;
  }
  painter = new Painter(canvas);
  const { name, parameters, height, width, licence } = segmenter.about;
  const size = `${parameters.toLocaleString("en")} parameters, looks at ${width} × ${height} pixels`;
  $("about").textContent = `Network: ${name}, ${size}${licence ? `; ${licence}` : ""}.`;
  if (licence) {
    const more = document.createElement("a");
    more.href = "network.LICENSE.txt";
    more.textContent = "its licence";
    $("about").append(" ", more);
  }
  for (const id of ["camera", "choose"]) $(id).disabled = false;
  say("Ready.");
}

// --- Frames ---------------------------------------------------------------------------------------

// One after the other, since they share the network.
function show(...frame) {
  const mine = turn.then(() => work(...frame));
  turn = mine.catch(() => {});
  return mine;
}

async function work(source, width, height) {
  if (source === video && !stream) return;
  const began = performance.now();
  const found = await segmenter.find(source);
  painter.paint(source, width, height, found.mask, choice());
  spent.push([performance.now() - began, found.ms]);
  spent = spent.slice(-FRAMES);
  stage.classList.remove("empty");
  $("save").disabled = false;
  if (performance.now() - said > SAY_EVERY_MS || !stream) {
    said = performance.now();
    for (const [id, place] of [["frame-ms", 0], ["network-ms", 1]]) $(id).textContent = median(place).toFixed(1);
    $("size").textContent = `${width} × ${height}`;
  }
}

function median(place) {
  const sorted = spent.map((each) => each[place]).sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

function choice() {
  const background = new FormData(controls).get("background");
  return { background, levels: Number($("blur").value), colour: $("colour").value };
}

// What is shown of a picture, chosen anew; the camera's next frame has it anyway.
function repaint() {
  if (picture) painter.paint(picture, picture.width, picture.height, segmenter.mask, choice());
}

// --- The camera -----------------------------------------------------------------------------------

const REFUSALS = {
  NotAllowedError: "The camera was not allowed: allow it beside the page's address, or choose a picture.",
  NotFoundError: "No camera was found: plug one in, or choose a picture.",
  OverconstrainedError: "No camera was found: plug one in, or choose a picture.",
  NotReadableError: "The camera does not answer: another program may be using it.",
};

async function openCamera() {
  quiet();
  if (!navigator.mediaDevices) {
    complain("Browsers give the camera only to pages from https:// or localhost: open this one there, or choose a picture.");
    return;
  }
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user", width: { ideal: 640 }, height: { ideal: 480 } } });
  } catch (error) {
    complain(REFUSALS[error.name] ?? `The camera cannot be opened: ${error.message}`);
    return;
  }
  picture = null;
  spent = [];
  stream.getVideoTracks()[0].addEventListener("ended", () => { closeCamera(); complain("The camera was disconnected."); });
  video.srcObject = stream;
  await video.play();
  $("camera").textContent = "Stop the camera";
  canvas.setAttribute("aria-label", "Camera with its background changed");
  say("The camera is on.");
  nextFrame();
}

function nextFrame() {
  if (!stream) return;
  const call = video.requestVideoFrameCallback ? "requestVideoFrameCallback" : null;
  const then = async () => {
    if (!stream) return;
    try {
      if (video.videoWidth) await show(video, video.videoWidth, video.videoHeight);
    } catch (error) {
      closeCamera();
      complain(`A frame could not be worked on: ${error.message}`);
    }
    nextFrame();
  };
  if (call) video[call](then); else requestAnimationFrame(then);
}

function closeCamera() {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  video.srcObject = null;
  $("camera").textContent = "Use the camera";
  say("The camera is off.");
}

// --- Pictures -------------------------------------------------------------------------------------

async function openPicture(chosen) {
  quiet();
  if (stream) closeCamera();
  let found;
  try {
    found = await createImageBitmap(chosen);
  } catch {
    complain(`${chosen.name} is no picture that this browser can read: take JPEG, PNG or WebP.`);
    return;
  }
  const shrink = LONGEST_PX / Math.max(found.width, found.height);
  if (shrink < 1) {
    const size = { resizeWidth: Math.round(found.width * shrink), resizeHeight: Math.round(found.height * shrink) };
    found = await createImageBitmap(found, { ...size, resizeQuality: "high" });
  }
  picture?.close();
  picture = found;
  spent = [];
  try {
    await show(picture, picture.width, picture.height);
  } catch (error) {
    complain(`${chosen.name} could not be worked on: ${error.message}`);
    return;
  }
  canvas.setAttribute("aria-label", `${chosen.name} with its background changed`);
  say(shrink < 1 ? `${chosen.name}, made smaller: at most ${LONGEST_PX} pixels a side.` : `${chosen.name} is done.`);
}

function save() {
  canvas.toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = choice().background === "transparent" ? "cut-out.png" : "portrait.png";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    say(`Saved as ${link.download}.`);
  }, "image/png");
}

// --- What is said ---------------------------------------------------------------------------------

function say(text) { $("said").textContent = text; }
function complain(text) { say(""); $("problem").textContent = text; $("problem").hidden = false; }
function quiet() { $("problem").hidden = true; }

// --- What a person does ---------------------------------------------------------------------------

$("camera").addEventListener("click", () => (stream ? closeCamera() : openCamera()));
$("choose").addEventListener("click", () => file.click());
file.addEventListener("change", () => { if (file.files[0]) openPicture(file.files[0]); file.value = ""; });
$("save").addEventListener("click", save);
controls.addEventListener("submit", (event) => event.preventDefault());
controls.addEventListener("input", () => {
  const { background } = choice();
  $("of-blur").hidden = background !== "blur";
  $("of-colour").hidden = background !== "colour";
  repaint();
});
addEventListener("dragover", (event) => { event.preventDefault(); stage.classList.add("dropping"); });
addEventListener("dragleave", () => stage.classList.remove("dropping"));
addEventListener("drop", (event) => {
  event.preventDefault();
  stage.classList.remove("dropping");
  const dropped = event.dataTransfer.files[0];
  if (!segmenter) return;
  if (dropped) openPicture(dropped);
  else complain("What was dropped is no file: save the picture first, then drop its file.");
});
