// The plain approach that `feel.py` compares with.
function render({ model, el }) {
  const [height, width] = model.get("size");
  el.innerHTML = `<div class="plain"><div><input type="range" min="0" max="${model.get("n_frames") - 1}">
    <output></output></div><canvas width="${width}" height="${height}" style="width:560px"></canvas><ol></ol></div>`;
  const [slider, label, canvas, list] = ["input", "output", "canvas", "ol"].map((name) => el.querySelector(name));
  const wish = (name, value) => {
    if (model.get("sends")) return model.send({ name, value });
    model.set(name, value);
    model.save_changes();
  };
  const draw = () => {
    const view = model.get("image");
    if (!view?.byteLength) return;
    const rgb = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    for (let from = 0, to = 0; to < image.data.length; from += 3, to += 4) {
      image.data[to] = rgb[from];
      image.data[to + 1] = rgb[from + 1];
      image.data[to + 2] = rgb[from + 2];
      image.data[to + 3] = 255;
    }
    context.putImageData(image, 0, 0);
    canvas.dataset.of = model.get("image_of").join();
  };
  const rank = () => {
    const bars = model.get("bars");
    const most = Math.max(...bars.map(([, , value]) => Math.abs(value)));
    list.replaceChildren(
      ...bars.map(([layer, neuron, value]) => {
        const row = document.createElement("li");
        row.textContent = `${layer} ${neuron} ${value.toPrecision(3)}`;
        row.style.background = `linear-gradient(90deg, orange ${(Math.abs(value) / most) * 100}%, transparent 0)`;
        return row;
      }),
    );
    list.dataset.of = model.get("bars_of").join();
  };
  slider.addEventListener("input", () => {
    label.textContent = slider.value;
    wish("time", slider.valueAsNumber);
  });
  // Not "click", whose places are whole CSS pixels: a large picture has several pixels to one.
  canvas.addEventListener("pointerup", (event) => {
    const box = canvas.getBoundingClientRect();
    const at = (part, size) => Math.floor(part * size);
    wish("pixel", [
      at((event.clientY - box.top) / box.height, height),
      at((event.clientX - box.left) / box.width, width),
    ]);
  });
  el.addEventListener("choose", ({ detail }) => wish("neuron", detail));
  slider.value = model.get("time");
  label.textContent = slider.value;
  model.on("change:image", draw);
  model.on("change:bars", rank);
  draw();
}
export default { render };
