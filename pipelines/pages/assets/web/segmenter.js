// From a frame to where the person is: the network in ONNX Runtime, on one thread.
import * as ort from "./onnxruntime/ort.wasm.min.mjs";

const RUNTIME = new URL("./onnxruntime/", import.meta.url).href;
const SLOPE = 1.4;
const WARM_UP = 3;

export class Segmenter {
  // `about` is network.json, which was written with network.onnx: what it is called, and the size
  // of its input. Its normalisation is within the network, which takes pixels as they are.
  static async load(address) {
    const about = await (await fetched(address)).json();
    ort.env.wasm.numThreads = 1; // more would need headers that isolate the page
    ort.env.wasm.wasmPaths = { mjs: `${RUNTIME}ort-wasm-simd-threaded.mjs`, wasm: `${RUNTIME}ort-wasm-simd-threaded.wasm` };
    const network = new Uint8Array(await (await fetched(about.file)).arrayBuffer());
    const session = await ort.InferenceSession.create(network, { executionProviders: ["wasm"] });
    const made = new Segmenter(about, session);
    for (let run = 0; run < WARM_UP; run++) await made.find(made.mask); // or the first frame is slow
    return made;
  }

  constructor(about, session) {
    const { width, height } = about;
    this.about = about;
    this.session = session;
    this.small = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    this.small.imageSmoothingQuality = "high";
    this.planes = new Float32Array(3 * width * height);
    this.pixels = new ort.Tensor("float32", this.planes, [1, 3, height, width]);
    this.mask = new OffscreenCanvas(width, height);
    this.maskPen = this.mask.getContext("2d", { willReadFrequently: true });
    this.maskPixels = this.maskPen.createImageData(width, height);
  }

  // The person as the opacity of a canvas of the network's size, and the milliseconds in the network.
  async find(source) {
    const { width, height } = this.about, area = width * height, planes = this.planes;
    this.small.drawImage(source, 0, 0, width, height);
    const seen = this.small.getImageData(0, 0, width, height).data;
    for (let at = 0, from = 0; at < area; at++, from += 4) {
      planes[at] = seen[from];
      planes[at + area] = seen[from + 1];
      planes[at + 2 * area] = seen[from + 2];
    }
    const began = performance.now();
    const answer = await this.session.run({ [this.session.inputNames[0]]: this.pixels });
    const ms = performance.now() - began;
    const person = answer[this.session.outputNames[0]].data, opacity = this.maskPixels.data;
    // What is nearly sure is made sure; a half stays a half. The array rounds and clamps.
    for (let at = 0, to = 3; at < area; at++, to += 4) opacity[to] = 255 * (SLOPE * (person[at] - 0.5) + 0.5);
    this.maskPen.putImageData(this.maskPixels, 0, 0);
    return { mask: this.mask, ms };
  }
}

async function fetched(address) {
  const answer = await fetch(new URL(address, import.meta.url));
  if (!answer.ok) throw new Error(`${address} is missing (${answer.status})`);
  return answer;
}
