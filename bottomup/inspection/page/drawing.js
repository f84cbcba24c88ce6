// Drawing, from the photo up. Everything is clipped to the photo.
const LEFT = "#ff9f1c", RIGHT = "#35b8ff", MIDDLE = "#f5f5f5", DARK = "#1e1e1e", FAINT = 0.2;
const PEOPLE = ["#ff9f1c", "#35b8ff", "#7ee081", "#ff6f9c", "#ffe14f", "#b99bff", "#40e0d0", "#ff7f50", "#c0e85c", "#e3a0ff"];
const KEPT = "#ffffff", DROPPED = "#ff5c5c", LOW = "#a8a8a8", JUMP = "#ff4fd8", STEP = "#ffe14f", ARROW = "#7dff6e", LABEL = "#00e676";
const view = {zoom: 1, x: 0, y: 0};  // canvas pixels per pixel of the photo; the photo's pixel at the canvas's corner
const ARROWS_APART = 9;  // canvas pixels, at least
let pen = null;

const colourOf = rank => PEOPLE[(rank - 1) % PEOPLE.length];
const sideOf = part => data.mirror[part] === part ? MIDDLE : data.parts[part] < data.parts[data.mirror[part]] ? LEFT : RIGHT;
const photoToScreen = ([x, y]) => [(x - view.x) * view.zoom, (y - view.y) * view.zoom];
const toScreen = place => photoToScreen(toPhoto(place));
const canvases = () => [...document.querySelectorAll(".pane:not([hidden]) canvas")];

function draw() {
  for (const canvas of canvases()) drawSide(canvas, Number(canvas.dataset.side));
  page.poses = shownPoses(state.side).length;
  page.peaks = fatesOf(state.side).filter(fate => fate.kind !== "low").length;
}

function drawSide(canvas, side) {
  const ratio = window.devicePixelRatio || 1, isAlone = state.person !== null || state.candidate !== null;
  canvas.width = canvas.clientWidth * ratio;
  canvas.height = canvas.clientHeight * ratio;
  pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  const corner = photoToScreen([-0.5, -0.5]), size = [data.photo.width * view.zoom, data.photo.height * view.zoom];
  pen.beginPath();
  pen.rect(...corner, ...size);
  pen.fillStyle = "#000";
  pen.fill();
  pen.clip();
  pen.globalAlpha = Number($("photo").value) * (isAlone && side === state.side ? 0.7 : 1);
  pen.drawImage(photo, ...corner, ...size);
  pen.globalAlpha = 1;
  const {maps, vectors, links, poses, labels, peaks} = state.layers, isOwn = side === state.side;
  if (maps) drawMap();
  if (vectors) drawVectors();
  if (labels && data.labels) drawLabels(side);
  if (poses) [...shownPoses(side)].reverse().forEach(pose => {
    if (!isOwn || !isAlone || pose.number === state.person) drawPose(pose, isOwn && isAlone, canvas);
  });
  if (links || (isOwn && isAlone)) drawLinks(side, isOwn && isAlone);
  if (peaks || (isOwn && isAlone)) drawPeaks(side, isOwn && isAlone);
}

let tinted = {key: null, cells: null};

function drawMap() {
  const maps = state.map < 0 ? data.maps.each.slice(0, Math.min(data.parts.length, data.maps.each.length)) : [data.maps.each[state.map]];
  const {width, height} = maps[0];
  if (!width || !height) return;
  if (tinted.key !== state.map) {
    const picture = new ImageData(width, height);
    for (let cell = 0; cell < width * height; cell++) {
      const level = Math.max(...maps.map(map => map.values[cell])) / 255;
      const warm = Math.min(1, 2 * level), hot = Math.max(0, 2 * level - 1);
      picture.data.set([90 + 165 * warm, 20 + 60 * warm + 150 * hot, 150 - 110 * warm + 30 * hot, 150 * Math.min(1, 1.6 * level)], 4 * cell);
    }
    tinted = {key: state.map, cells: new OffscreenCanvas(width, height)};
    tinted.cells.getContext("2d").putImageData(picture, 0, 0);
  }
  const [left, top] = data.maps.origin.map((middle, axis) => middle - data.maps.pitch[axis] / 2);
  const from = toScreen([left, top]), to = toScreen([left + width * data.maps.pitch[0], top + height * data.maps.pitch[1]]);
  pen.imageSmoothingEnabled = false;
  pen.drawImage(tinted.cells, ...from, to[0] - from[0], to[1] - from[1]);
  pen.imageSmoothingEnabled = true;
}

function drawVectors() {
  const {width, height, values, origin, pitch, length, gate} = data.vectors[state.vectors];
  const sure = gate !== null && data.maps.each[gate].values.length === width * height ? data.maps.each[gate].values : null;
  const every = Math.max(1, Math.ceil(ARROWS_APART / (pitch[0] / data.photo.scale[0] * view.zoom)));
  for (let cell = 0; cell < width * height; cell++) {
    const across = values[2 * cell] * length, down = values[2 * cell + 1] * length;
    if ((!across && !down) || cell % width % every || Math.floor(cell / width) % every) continue;
    pen.globalAlpha = sure ? Math.min(1, 0.25 + 1.5 * sure[cell] / 255) : 1;
    const x = origin[0] + (cell % width) * pitch[0], y = origin[1] + Math.floor(cell / width) * pitch[1];
    arrow(toScreen([x, y]), toScreen([x + across, y + down]), ARROW);
  }
  pen.globalAlpha = 1;
}

function arrow(from, to, colour) {
  const [across, down] = [to[0] - from[0], to[1] - from[1]], length = Math.hypot(across, down);
  line([from, to], colour, 1.3);
  if (length < 2) return;
  const tip = Math.min(6, length / 2) / length;
  line([[to[0] - tip * (across - 0.6 * down), to[1] - tip * (down + 0.6 * across)], to,
        [to[0] - tip * (across + 0.6 * down), to[1] - tip * (down - 0.6 * across)]], colour, 1.3);
}

function line(places, colour, width, dashes = []) {
  pen.beginPath();
  places.forEach((place, index) => index ? pen.lineTo(...place) : pen.moveTo(...place));
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.lineCap = dashes.length ? "butt" : "round";
  pen.setLineDash(dashes);
  pen.stroke();
  pen.setLineDash([]);
}

function dot(place, radius, fill, outline = DARK, width = 1) {
  pen.beginPath();
  pen.arc(...place, radius, 0, 7);
  if (fill) { pen.fillStyle = fill; pen.fill(); }
  pen.strokeStyle = outline;
  pen.lineWidth = width;
  pen.stroke();
}

function drawLabels(side) {
  const chosen = state.person === null ? null : posesOf(state.side).find(pose => pose.number === state.person);
  data.labels.people.forEach((keypoints, index) => {
    if (side === state.side && chosen && !(chosen.label && chosen.label[0] === index)) return;
    const places = keypoints.map(keypoint => keypoint && photoToScreen(keypoint));
    for (const [parent, child] of data.labels.edges) {
      if (places[parent] && places[child]) line([places[parent], places[child]], LABEL, 2, [6, 4]);
    }
    places.forEach(place => { if (place) dot(place, 3, null, LABEL, 2); });
  });
}

function drawPose({keypoints, filled, score, rank}, isAlone, canvas) {
  const places = keypoints.map(keypoint => keypoint && toScreen(keypoint)), own = colourOf(rank);
  const alpha = part => keypoints[part][2] < FAINT ? 0.45 : 1;
  for (const [parent, child] of data.edges) {
    if (!places[parent] || !places[child]) continue;
    const sides = new Set([sideOf(parent), sideOf(child)].filter(each => each !== MIDDLE));
    const isFilled = filled.includes(parent) || filled.includes(child), colour = isAlone ? sides.size === 1 ? [...sides][0] : MIDDLE : own;
    pen.globalAlpha = Math.min(alpha(parent), alpha(child));
    line([places[parent], places[child]], DARK, 5);
    line([places[parent], places[child]], colour, 3, isFilled ? [6, 4] : []);
  }
  places.forEach((place, part) => {
    if (!place) return;
    const colour = isAlone ? sideOf(part) : own, isFilled = filled.includes(part);
    pen.globalAlpha = alpha(part);
    dot(place, 4, isFilled ? DARK : colour, isFilled ? colour : DARK, isFilled ? 2 : 1);
  });
  pen.globalAlpha = 1;
  nameTag(places.filter(Boolean), `${rank}  ${text(score)}`, own, canvas);
}

// A pose's rank and score, beside its highest keypoint, inside photo and canvas.
function nameTag(places, label, colour, canvas) {
  if (!places.length) return;
  const highest = places.reduce((one, other) => other[1] < one[1] ? other : one);
  pen.font = "bold 12px system-ui, sans-serif";
  const width = pen.measureText(label).width + 10, corner = photoToScreen([-0.5, -0.5]);
  const far = photoToScreen([data.photo.width - 0.5, data.photo.height - 0.5]);
  const within = (value, low, high) => Math.max(low, Math.min(value, high));
  const x = within(highest[0] - width / 2, Math.max(corner[0], 0), Math.min(far[0], canvas.clientWidth) - width);
  const y = within(highest[1] - 28, Math.max(corner[1], 0), Math.min(far[1], canvas.clientHeight) - 18);
  pen.fillStyle = colour;
  pen.beginPath();
  pen.roundRect(x, y, width, 18, 5);
  pen.fill();
  pen.fillStyle = "#000";
  pen.fillText(label, x + 5, y + 13);
}

// How people came about: limbs, traces or rows.
function drawLinks(side, isAlone) {
  const {traces, boxes} = decoderOf(side), fates = fatesOf(side);
  if (!standsForPerson()) return drawLimbs(side, isAlone);
  fates.forEach((fate, index) => {
    const isChosen = isAlone && state.candidate === index;
    if (isAlone ? !isChosen && !(fate.kind === "kept" && fate.pose === state.person) : fate.kind === "low") return;
    if (boxes.length) drawRow(boxes[index], traces[index], fate);
    else if (isChosen || fate.kind === "kept") drawTrace(traces[index]);
  });
}

function drawTrace(steps) {
  for (const [, ...numbers] of steps) {
    const places = [];
    for (let at = 0; at < numbers.length; at += 2) places.push(toScreen(numbers.slice(at, at + 2)));
    if (places.length < 2) continue;
    arrow(places[0], places[1], JUMP);
    line(places.slice(1), STEP, 1.5);
    places.slice(2).forEach((place, index) => dot(place, index === places.length - 3 ? 3 : 1.5, STEP));
  }
}

function drawRow([left, top, right, bottom], parts, {kind}) {
  const corners = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]].map(toScreen);
  const colour = kind === "kept" ? STEP : JUMP;
  line(corners, colour, kind === "kept" ? 2 : 1.2, kind === "kept" ? [] : [5, 4]);
  for (const [, x, y] of parts) dot(toScreen([x, y]), 2, colour);
}

function drawLimbs(side, isAlone) {
  const poses = posesOf(side), {peaks} = decoderOf(side);
  const chosen = poses.find(pose => pose.number === state.person);
  for (const limb of limbsOf(side)) {
    const owner = ownerOf(side, limb, poses), [, parent, child, score] = limb;
    if (isAlone && state.candidate !== parent && state.candidate !== child && !(chosen && owner === chosen)) {
      if (!chosen || ![parent, child].some(end => isAt(chosen, peaks[end]))) continue;
    }
    const isKept = owner !== null && owner.hidden === null, ends = [parent, child].map(end => toScreen(peaks[end].slice(1, 3)));
    pen.globalAlpha = isKept ? 1 : 0.4 + 0.6 * score;
    line(ends, isKept ? STEP : JUMP, isKept ? 2 : 1.3, isKept ? [] : [5, 4]);
  }
  pen.globalAlpha = 1;
}

const isPartShown = part => state.map < 0 || part < 0 || !state.layers.maps || state.map >= data.parts.length
  || data.maps.each.length < data.parts.length || data.maps.each[state.map].name === data.parts[part];

function drawPeaks(side, isAlone) {
  const {peaks, tags} = decoderOf(side);
  fatesOf(side).forEach((fate, index) => {
    const peak = peaks[index], place = toScreen(peak.slice(1, 3));
    if (isAlone ? !concerns(fate, index) : !isPartShown(peak[0])) return;
    if (fate.kind === "low") dot(place, 1.5 + 2 * peak[3], null, LOW);
    else if (tags.length) dot(place, 3 + 3 * peak[3], hue(tags[index][0]), fate.kind === "kept" ? DARK : DROPPED, fate.kind === "kept" ? 1 : 2);
    else dot(place, 2.5 + 3 * peak[3], fate.kind === "kept" ? KEPT : null, fate.kind === "kept" ? DARK : DROPPED, fate.kind === "kept" ? 1 : 2);
    if (state.candidate === index && side === state.side) dot(place, 11, null, KEPT, 2);
  });
}

const hue = tag => `hsl(${((tag * 47) % 360 + 360) % 360} 85% 60%)`;

function fit() {
  const [canvas] = canvases();
  view.zoom = Math.min(canvas.clientWidth / data.photo.width, canvas.clientHeight / data.photo.height);
  view.x = (data.photo.width - canvas.clientWidth / view.zoom) / 2 - 0.5;
  view.y = (data.photo.height - canvas.clientHeight / view.zoom) / 2 - 0.5;
  draw();
}

// Zoom so that the place under [x, y] of the canvas stays there.
function zoomAt([x, y], factor) {
  const [canvas] = canvases();
  const least = 0.5 * Math.min(canvas.clientWidth / data.photo.width, canvas.clientHeight / data.photo.height);
  factor = Math.max(least / view.zoom, Math.min(factor, 64 / view.zoom));
  view.x += x / view.zoom * (1 - 1 / factor);
  view.y += y / view.zoom * (1 - 1 / factor);
  view.zoom *= factor;
  draw();
}
