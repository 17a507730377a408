// A frame with its background changed.

export class Painter {
  constructor(canvas) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d");
    this.pen.imageSmoothingQuality = "high";
    this.steps = Array.from({ length: 7 }, () => new OffscreenCanvas(1, 1).getContext("2d"));
  }

  // Args: a frame and its size, the person as the opacity of `mask`, and what was chosen: background
  // (blur, colour, transparent), levels of blur, a CSS colour.
  paint(frame, width, height, mask, { background, levels, colour }) {
    const { canvas, pen } = this;
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    pen.globalCompositeOperation = "copy";
    pen.drawImage(mask, 0, 0, width, height);
    pen.globalCompositeOperation = "source-in";
    pen.drawImage(frame, 0, 0, width, height);
    pen.globalCompositeOperation = "destination-over";
    if (background === "colour") {
      pen.fillStyle = colour;
      pen.fillRect(0, 0, width, height);
    } else if (background === "blur") {
      pen.drawImage(this.blurred(frame, width, height, mask, levels), 0, 0, width, height);
    }
  }

  // Halved again and again and enlarged step by step, which is close to a Gaussian blur and quick in
  // every browser. The person is taken out first: no glow of clothes and hair around them.
  blurred(frame, width, height, mask, levels) {
    const pens = this.steps.slice(0, levels + 2);
    const largest = 640 / Math.max(width, height, 640);
    pens.forEach((pen, level) => {
      const { canvas } = pen, scale = largest / 2 ** (level + 1);
      const size = [width, height].map((side) => Math.max(1, Math.round(side * scale)));
      if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
      pen.globalCompositeOperation = "copy";
    });
    const draw = (pen, source) => pen.drawImage(source, 0, 0, pen.canvas.width, pen.canvas.height);
    draw(pens[0], frame);
    pens[0].globalCompositeOperation = "destination-out";
    draw(pens[0], mask);
    for (let level = 1; level < pens.length; level++) draw(pens[level], pens[level - 1].canvas);
    for (let level = pens.length - 2; level >= 0; level--) {
      // Where the person was, what is near fills in: it is drawn over itself until it is opaque.
      pens[level].globalCompositeOperation = "copy";
      draw(pens[level], pens[level + 1].canvas);
      pens[level].globalCompositeOperation = "source-over";
      draw(pens[level], pens[level + 1].canvas);
    }
    pens[0].globalCompositeOperation = "destination-over";
    draw(pens[0], frame);
    return pens[0].canvas;
  }
}
