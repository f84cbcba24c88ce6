// The page's data and state. Positions in `data` are pixels of the network's input, labels' are pixels of the photo.
const $ = id => document.getElementById(id);
const page = document.documentElement.dataset;  // what tests and screenshots look at
let data = null, photo = null;
const state = {
  side: 0,  // the decoder whose sliders, people and person are shown
  view: "0",  // "0", "1" or "both"
  steps: [],  // of each decoder's sliders
  minScore: 0.2,
  layers: {poses: true, labels: false, maps: false, peaks: false, vectors: false, links: false},
  map: -2,  // number of a heatmap, or -2: all parts
  vectors: 0,
  person: null,  // number of the pose that is seen alone
  candidate: null,  // number of the candidate that is
};

async function unpack() {
  const packed = Uint8Array.from(atob($("data").textContent), letter => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const whole = await new Response(stream).arrayBuffer();
  const length = new DataView(whole).getUint32(0, true);
  const bytes = ([start, size]) => whole.slice(4 + length + start, 4 + length + start + size);
  data = JSON.parse(new TextDecoder().decode(new Uint8Array(whole, 4, length)));
  for (const map of data.maps.each) map.values = new Uint8Array(bytes(map.place));
  for (const field of data.vectors) field.values = new Int16Array(bytes(field.place));
  photo = await createImageBitmap(new Blob([bytes(data.photo.place)], {type: "image/jpeg"}));
  state.minScore = data.min_score;
  state.steps = data.decoders.map(decoder => decoder.settings.map(setting => setting.start));
  state.layers.labels = data.labels !== null;
  state.view = data.decoders.length > 1 ? "both" : "0";
}

const decoderOf = side => data.decoders[side];
const standsForPerson = () => !["paf", "tags"].includes(data.family);
const words = name => name.replaceAll("_", " ");
const text = (value, digits = 2) => Number(value).toFixed(digits);
const brief = value => String(Number(Number(value).toPrecision(3)));
const distance = (one, other) => Math.hypot(one[0] - other[0], one[1] - other[1]);

const toPhoto = ([x, y]) => [(x - data.photo.corner[0] + 0.5) / data.photo.scale[0] - 0.5,
                             (y - data.photo.corner[1] + 0.5) / data.photo.scale[1] - 0.5];
const apartInPhoto = (one, other) => distance(toPhoto(one), toPhoto(other));

// A parameter as the sliders have it, or as the decoder was made with; null if it has none of that name.
function parameter(side, name) {
  const {settings, parameters} = decoderOf(side), index = settings.findIndex(each => each.name === name);
  return index >= 0 ? settings[index].steps[state.steps[side][index]] : parameters[name] ?? null;
}
