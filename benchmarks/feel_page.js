// What `feel.py` measures in the page. Times end when what they wait for has been painted.
(() => {
  const channel = new MessageChannel();
  const waiting = [];
  channel.port1.onmessage = () => waiting.shift()?.();
  /** After the next frame is on screen. */
  const painted = () =>
    new Promise((done) =>
      requestAnimationFrame(() => {
        waiting.push(() => done(performance.now()));
        channel.port2.postMessage(0);
      }),
    );
  const until = async (holds, limit = 300_000) => {
    const end = performance.now() + limit;
    for (;;) {
      const now = await painted();
      if (holds()) return now;
      if (now > end) throw new Error(`waited ${limit} ms for ${holds}`);
    }
  };

  /** Where things are in the two widgets. */
  const find = (selector) => document.querySelector(selector);
  const apps = {
    ours: {
      slider: () => find(".cw-root [data-testid=time]"),
      canvas: () => find(".cw-root [data-testid=frame]"),
      label: () => find(".cw-root [data-panel=frame] .cw-label").textContent.split(" · ")[0].trim(),
      time: () => find(".cw-root [data-testid=frame]").dataset.time,
      hasMap: (neuron) => find(".cw-root [data-testid=frame]").dataset.selection?.endsWith(`/${neuron}`),
      pixel: () => (find(".cw-root [data-preview]") ? "" : find(".cw-root [data-panel=pixel]").dataset.pixel),
    },
    plain: {
      slider: () => find(".plain input"),
      canvas: () => find(".plain canvas"),
      label: () => find(".plain output").textContent,
      time: () => find(".plain canvas").dataset.of.split(",")[0],
      hasMap: (neuron) => find(".plain canvas").dataset.of.split(",").slice(1).join() === neuron,
      pixel: () => find(".plain ol").dataset.of?.split(",").slice(1).join(),
    },
  };

  let sent = { count: 0, bytes: 0 };
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (data) {
    sent.count += 1;
    sent.bytes += data.byteLength ?? data.length;
    return send.call(this, data);
  };

  const small = new OffscreenCanvas(64, 32).getContext("2d", { willReadFrequently: true });
  small.imageSmoothingEnabled = false;
  /** The picture on a canvas, as a number that tells pictures apart. */
  const digest = (canvas) => {
    small.drawImage(canvas, 0, 0, 64, 32);
    let hash = 0x811c9dc5;
    for (const byte of small.getImageData(0, 0, 64, 32).data) hash = Math.imul(hash ^ byte, 0x01000193);
    return hash >>> 0;
  };
  const moveTo = (app, time) => {
    const slider = app.slider();
    slider.value = time;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  };

  /** Does something every frame; frames a second, and the 95th percentile of the time between two, in ms. */
  const paced = async (milliseconds, act) => {
    const gaps = [];
    const start = performance.now();
    for (let before = start, now = start; now < start + milliseconds; before = now) {
      act();
      now = await painted();
      gaps.push(now - before);
    }
    gaps.sort((a, b) => a - b);
    return { paints: (gaps.length / milliseconds) * 1000, p95: gaps[Math.round(0.95 * (gaps.length - 1))] };
  };

  window.feel = {
    sent: () => ({ ...sent }),
    /** Arms a measurement: from the next click until the bars of `pixel`, or the map of `neuron`, are painted. */
    arm(name, what, value) {
      const app = apps[name];
      const holds = what === "pixel" ? () => app.pixel() === value : () => app.hasMap(value);
      this.armed = new Promise((done, fail) =>
        window.addEventListener(
          "pointerup",
          ({ timeStamp }) => until(holds).then((end) => done(end - timeStamp), fail),
          { capture: true, once: true },
        ),
      );
    },
    /** Chooses a neuron of the plain widget, which has no picture to click on. */
    async choose(neuron) {
      const start = performance.now();
      find(".plain").parentElement.dispatchEvent(new CustomEvent("choose", { detail: neuron }));
      return (await until(() => apps.plain.hasMap(neuron.join()))) - start;
    },
    /** From rest to another frame: the least that a jump takes. */
    async jump(name, time, neuron) {
      const app = apps[name];
      const start = performance.now();
      moveTo(app, time);
      return (await until(() => app.time() === String(time) && app.hasMap(neuron))) - start;
    },
    /** 60 events a second over `times`; then until the last one is on screen, and what was seen meanwhile. */
    async scrub(name, times, neuron) {
      const app = apps[name];
      const seen = new Map();
      let watching = true;
      const watched = (async () => {
        while (watching) {
          await painted();
          const picture = [app.label(), app.time(), digest(app.canvas())];
          seen.set(picture.join(), picture);
        }
      })();
      const start = performance.now();
      for (let i = 0; i < times.length; i++) {
        const due = start + (i * 1000) / 60;
        while (performance.now() < due) await new Promise((done) => setTimeout(done, due - performance.now()));
        moveTo(app, times[i]);
      }
      const last = performance.now();
      const end = await until(() => app.time() === String(times.at(-1)) && app.hasMap(neuron));
      watching = false;
      await watched;
      return { late: end - last, lasted: last - start, seen: [...seen.values()] };
    },
    /** What each frame looks like, seen at rest. */
    async look(name, times, neuron) {
      const app = apps[name];
      const looks = {};
      for (const time of times) {
        moveTo(app, time);
        await until(() => app.time() === String(time) && (neuron === null || app.hasMap(neuron)));
        looks[time] = digest(app.canvas());
      }
      return looks;
    },
    /** Pictures painted a second while the clip plays by itself (ours), or its slider is moved (plain). */
    async play(name, milliseconds, frames) {
      const app = apps[name];
      let [count, paints, before] = [0, 0, app.time()];
      const start = performance.now();
      for (let now = start, step = 0; now < start + milliseconds; now = await painted()) {
        if (name === "plain" && (now - start) * 0.06 > step) moveTo(app, ++step % frames);
        if (app.time() !== before) count += 1;
        before = app.time();
        paints += 1;
      }
      return { pictures: (count / milliseconds) * 1000, paints: (paints / milliseconds) * 1000 };
    },
    /** How often the browser paints when nothing happens, and how long the 95th percentile of its frames takes. */
    async rest(milliseconds) {
      return paced(milliseconds, () => {});
    },
    /** Scrolls the grid of ours by so many CSS pixels a frame; what is on screen without a picture; then until it has one. */
    async scroll(step, milliseconds) {
      const grid = find(".cw-root [data-testid=grid]");
      const onScreen = () => {
        const { top, bottom } = grid.getBoundingClientRect();
        return [...grid.querySelectorAll(".cw-thumb")].filter((thumb) => {
          const box = thumb.getBoundingClientRect();
          return box.bottom > top && box.top < bottom;
        });
      };
      const blank = () => onScreen().filter((thumb) => thumb.hasAttribute("data-empty")).length;
      let [seen, empty] = [0, 0];
      grid.scrollTop = 0;
      const found = await paced(milliseconds, () => {
        seen += onScreen().length;
        empty += blank();
        grid.scrollTop += step;
      });
      const start = performance.now();
      const end = await until(() => onScreen().length > 0 && blank() === 0);
      return { ...found, cells: grid.querySelectorAll(".cw-thumb").length, blank: empty / seen, rest: end - start };
    },
    /** Moves a range of ours over its whole way, an event a frame, and lets it go. */
    async drag(testid) {
      const slider = find(`.cw-root [data-testid=${testid}]`);
      const pictures = new Set();
      for (let count = -1; count !== sent.count; ) {
        // What was on its way, and what is asked ahead of need once it has come.
        count = sent.count;
        await new Promise((done) => setTimeout(done, 1000));
      }
      const before = { ...sent };
      const [low, high] = [Number(slider.min), Number(slider.max)];
      for (let i = 0; i <= 60; i++) {
        slider.value = low + ((high - low) * i) / 60;
        slider.dispatchEvent(new Event("input", { bubbles: true }));
        await painted();
        pictures.add(digest(apps.ours.canvas()));
      }
      const during = sent.count - before.count;
      slider.dispatchEvent(new Event("change", { bubbles: true }));
      await new Promise((done) => setTimeout(done, 500));
      return { pictures: pictures.size, during, after: sent.count - before.count - during };
    },
  };
})();
