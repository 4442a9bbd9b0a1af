// The words of the widget: what each means in a sentence, and where the documents explain it. The card over a word
// (`term_card.ts`) and the help show them; a test keeps `docs/terms.md` and this table the same.
import { DOCUMENTATION } from "../transport/constants";

/** By name, which is also the heading of the term's section; the sentence is the first of that section. */
export const TERMS = {
  contribution: "What one neuron adds to one pixel of the frame, as the chosen rule defines it.",
  map: "All contributions of one neuron to the pixels of a frame, drawn as a picture.",
  frame: "One picture of the image or video that the network encodes; frames count from 0.",
  layer: "One operation of the network that has weights, such as a convolution, named by its module.",
  neuron: "The smallest part that is traced: a unit of a linear layer, a kernel of a convolution.",
  unit: "One input channel of a layer, with all the weights that lead out of it.",
  kernel: "The weights from one input channel of a layer to one output channel: 0→21 leads from 0 to 21.",
  cluster: "A group of neurons of one layer whose maps look alike.",
  exemplars: "The neurons nearest to the middle of each cluster.",
  run: "One of several networks: a step of a training, a seed, an architecture.",
  compare: "Shows a second run in the same views, and how the two differ.",
  rule: "How a contribution is computed: by xinc, gated or ablation.",
  xinc: "Where a neuron writes, by the published method; what later layers make of that is left out.",
  gated: "A neuron's exact share of the image, with every activation frozen as this frame sets it.",
  ablation: "How the image changes when the neuron is taken out of the network.",
  faithfulness: "How well a rule orders neurons as ablation does: 1 is the same order, 0 is no relation.",
  reconstruction: "The picture that the network makes.",
  truth: "The picture that the network was fitted to.",
  error: "How far reconstruction and truth are apart; black is no difference.",
  quantised:
    "What the picture loses when weights have few bits: how far it is from the original; black is nothing.",
  PSNR: "How close two pictures are, in decibels; higher is closer.",
  ablated: "Neurons that are taken out of the network, to see the picture without them.",
  region: "A part of the frame that you draw or name; 2× is twice the contribution of its fair share.",
  brush: "Paints a region pixel by pixel; with Alt, or with its eraser, it rubs out.",
  polygon: "A region whose corners you click; the first corner, Enter or a double click closes it.",
  carry:
    "Moves the region as the picture moves, by optical flow, from the frame it was drawn on to this one.",
  magnitude: "The size of a contribution, whether it adds to the pixel or takes away.",
  signed: "Contributions with their sign: one colour for what is added, one for what is taken away.",
  overlay:
    "What lies over the frame: the map of the selection, a finding about the layer, or a slope of the picture.",
  colour: "Which colour of the pixels contributions are counted to: red, green, blue, or all of them.",
  palette: "The colours that stand for small and large values of a map.",
  opacity: "How much of the frame the map over it hides.",
  contrast: "How many times sooner the colours of a map reach their end.",
  contours: "Lines where a map reaches a quarter, a half and three quarters of what its colours end at.",
  total: "The magnitudes of a neuron's contributions, added over all pixels of the frame.",
  change: "How much the magnitudes of a map differ from the frame before, added over all pixels.",
  share: "A neuron's part of all magnitudes that its layer contributes to the pixel.",
  "50 % by": "How many of a layer's strongest neurons together make half of the pixel.",
  "90 % by": "How many of a layer's strongest neurons together make nine tenths of the pixel.",
  "this pixel": "Sorts neurons by their contribution to the pinned pixel.",
  "this region": "Sorts neurons by their contribution to the drawn region.",
  frequency:
    "Sorts neurons by the mean spatial frequency of their maps, in cycles a pixel, the lowest first.",
  difference:
    "Sorts neurons by how little their map is like that of the compared run: 1 less the correlation.",
  index: "Leaves neurons in the order of their numbers in the layer.",
  "one scale": "Equal colours are equal values in all thumbnails of the layer.",
  scatter: "Each neuron as a point; neurons whose maps look alike lie near each other.",
  "colour by":
    "What the colours of neurons stand for: their cluster, or the mean spatial frequency of their maps.",
  spectrum:
    "Power of a picture at each spatial frequency: slow waves on the left, waves of two pixels on the right.",
  centroid: "The mean spatial frequency of a picture, weighted by its power, in cycles a pixel.",
  band: "The frequencies of the selection's map, or of the picture, that the frame shows, in cycles a pixel.",
  bandwidth: "How far the frequencies of a picture lie from their mean: their standard deviation.",
} as const;

export type Term = keyof typeof TERMS;
const NAMES = Object.keys(TERMS) as Term[];

export function isTerm(name: string): name is Term {
  return NAMES.includes(name as Term);
}

/** The anchor that MkDocs gives to the heading of the term's section. */
export function anchorOf(term: Term): string {
  return term
    .toLowerCase()
    .replace(/[^\w\s-]/g, "")
    .trim()
    .replace(/[\s-]+/g, "-");
}

export function linkOf(term: Term): string {
  return `${DOCUMENTATION}terms/#${anchorOf(term)}`;
}
