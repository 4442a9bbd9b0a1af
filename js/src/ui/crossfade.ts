// What a canvas showed goes over into what it shows now, where motion is not to be reduced.
import { h } from "./dom";
import { isMotionReduced } from "./motion";

/** In ms: long enough to be seen as one change, too short to wait for. */
const DURATION = 120;

export function createCrossfade(canvas: HTMLCanvasElement) {
  const before = h("canvas", { class: `${canvas.className} cw-fading`, "aria-hidden": "true", hidden: true });
  let fading: Animation | null = null;
  return {
    /** Lies over the canvas while it goes. */
    element: before,
    /** Goes over from this picture to what the canvas shows now. */
    start(image: ImageData): void {
      if (isMotionReduced()) return;
      fading?.cancel();
      before.width = image.width;
      before.height = image.height;
      before.getContext("2d")?.putImageData(image, 0, 0);
      before.style.cssText = canvas.style.cssText;
      before.hidden = false;
      fading = before.animate([{ opacity: 1 }, { opacity: 0 }], { duration: DURATION });
      fading.onfinish = () => {
        before.hidden = true;
      };
    },
  };
}
