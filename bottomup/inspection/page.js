"use strict";
// Positions in `data` are pixels of the network's input; `toScreen` brings them to the canvas, by way of the photo.
const data = JSON.parse(document.getElementById("data").textContent);
const $ = id => document.getElementById(id);
const canvas = $("canvas"), pen = canvas.getContext("2d"), page = document.documentElement.dataset;
const ofPosenet = data.family === "posenet";
const LEFT = "#ff9614", RIGHT = "#32b4ff", MIDDLE = "#f5f5f5", FAINT = 0.2;
const PEAK = {root: "#ffffff", near: "#ff5c5c", none: "#9a9a9a"};
const view = {zoom: 1, x: 0, y: 0};  // the photo's pixel at the canvas's corner, canvas pixels per pixel
let chosen = null;  // {pose} or {peak}: what is shown alone
let photo = null;

const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
for (const map of data.maps.each) map.values = bytes(map.values);
for (const field of data.vectors) field.values = new Int16Array(bytes(field.values).buffer);

const toPhoto = (x, y) => [(x - data.photo.corner[0] + 0.5) / data.photo.scale[0] - 0.5,
                           (y - data.photo.corner[1] + 0.5) / data.photo.scale[1] - 0.5];
const toScreen = (x, y) => {
  const [across, down] = toPhoto(x, y);
  return [(across - view.x) * view.zoom, (down - view.y) * view.zoom];
};
const words = name => name.replaceAll("_", " ");
const side = part => data.mirror[part] === part ? MIDDLE : data.parts[part] < data.parts[data.mirror[part]] ? LEFT : RIGHT;
const number = (value, digits) => Number(value).toFixed(digits);

// What the sliders ask for

const setting = index => data.settings[index].steps[Number($("setting" + index).value)];
const value = name => {
  const index = data.settings.findIndex(each => each.name === name);
  return index < 0 ? null : setting(index);
};

function found() {
  let index = 0;
  data.settings.forEach((each, at) => { index = index * each.steps.length + Number($("setting" + at).value); });
  const lowest = Number($("lowest").value);
  return data.decodes[index].filter(([, score]) => score >= lowest)
    .map(([pose, score]) => ({number: pose, score, ...data.poses[pose]}));
}

const lowestPeak = () => value(ofPosenet ? "score_threshold" : "peak_threshold") ?? 0;
const isPeakShown = peak => (ofPosenet ? peak[3] >= lowestPeak() : peak[3] > lowestPeak())
  && (shownPart() === null || shownPart() === peak[0]);
const shownPart = () => {
  const index = Number($("map").value);
  return index >= 0 && index < data.parts.length ? index : null;
};

function fate(index, poses) {
  const [part, x, y] = data.peaks[index];
  if (!ofPosenet) {
    const owner = poses.findIndex(pose => isAt(pose, part, x, y));
    return owner < 0 ? ["none", "in no pose"] : ["root", `in pose ${owner + 1}`];
  }
  const own = poses.findIndex(pose => pose.root === index);
  if (own >= 0) return ["root", `root of pose ${own + 1}`];
  const radius = value("nms_radius") ?? 0;
  const near = poses.findIndex(({keypoints}) => keypoints[part]
    && Math.hypot(keypoints[part][0] - x, keypoints[part][1] - y) <= radius);
  if (near >= 0) return ["near", `within the NMS radius of pose ${near + 1}`];
  return ["none", "of no pose that is shown"];
}

const isAt = (pose, part, x, y) => pose.keypoints[part] && !pose.filled.includes(part)
  && Math.hypot(pose.keypoints[part][0] - x, pose.keypoints[part][1] - y) < 0.5;

// Drawing, from the photo up

function draw() {
  const poses = found(), ratio = window.devicePixelRatio || 1;
  canvas.width = canvas.clientWidth * ratio;
  canvas.height = canvas.clientHeight * ratio;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  const corner = [(-0.5 - view.x) * view.zoom, (-0.5 - view.y) * view.zoom];
  const size = [data.photo.width * view.zoom, data.photo.height * view.zoom];
  pen.save();
  pen.beginPath();
  pen.rect(...corner, ...size);
  pen.fillStyle = "#000";
  pen.fill();
  if (photo) {
    pen.globalAlpha = Number($("photo").value);
    pen.drawImage(photo, ...corner, ...size);
    pen.globalAlpha = 1;
  }
  pen.clip();
  drawMap();
  pen.restore();
  drawVectors();
  if ($("edges").checked && !ofPosenet) drawLimbs(poses);
  if ($("poses").checked) [...poses].reverse().forEach(pose => {
    if (!chosen || chosen.pose === pose.number) drawPose(pose, poses.indexOf(pose));
  });
  if (ofPosenet && ($("edges").checked || (chosen && "peak" in chosen))) drawWalks(poses);
  if ($("peaks").checked) drawPeaks(poses);
  tell(poses);
}

function drawMap() {
  const index = Number($("map").value);
  if (index === -1) return;
  const maps = index === -2 ? data.maps.each.slice(0, data.parts.length) : [data.maps.each[index]];
  const {width, height} = maps[0], picture = new ImageData(width, height);
  for (let cell = 0; cell < width * height; cell++) {
    const level = Math.max(...maps.map(map => map.values[cell])) / 255;
    const warm = Math.min(1, 2 * level), hot = Math.max(0, 2 * level - 1);
    picture.data.set([90 + 165 * warm, 20 + 60 * warm + 150 * hot, 150 - 110 * warm + 30 * hot,
                      150 * Math.min(1, 1.6 * level)], 4 * cell);
  }
  const cells = new OffscreenCanvas(width, height);
  cells.getContext("2d").putImageData(picture, 0, 0);
  const [left, top] = data.maps.origin.map((middle, axis) => middle - data.maps.pitch[axis] / 2);
  const from = toScreen(left, top);
  const to = toScreen(left + width * data.maps.pitch[0], top + height * data.maps.pitch[1]);
  pen.imageSmoothingEnabled = false;
  pen.drawImage(cells, ...from, to[0] - from[0], to[1] - from[1]);
  pen.imageSmoothingEnabled = true;
}

function drawVectors() {
  const index = Number($("vectors").value);
  if (index < 0) return;
  const {width, height, values, origin, pitch, length, gate} = data.vectors[index];
  for (let cell = 0; cell < width * height; cell++) {
    const across = values[2 * cell] * length, down = values[2 * cell + 1] * length;
    const weight = gate === null ? Math.hypot(across, down) / pitch[0] / 0.9 : data.maps.each[gate].values[cell] / 255;
    if (weight < (gate === null ? 0.1 : 0.03)) continue;
    const x = origin[0] + (cell % width) * pitch[0], y = origin[1] + Math.floor(cell / width) * pitch[1];
    pen.globalAlpha = Math.min(1, 0.35 + weight);
    arrow(toScreen(x, y), toScreen(x + across, y + down), "#7dff6e");
  }
  pen.globalAlpha = 1;
}

function arrow(from, to, colour) {
  const [across, down] = [to[0] - from[0], to[1] - from[1]], length = Math.hypot(across, down);
  line([from, to], colour, 1.2);
  if (length < 2) return;
  const tip = Math.min(6, length / 2) / length;
  line([[to[0] - tip * (across - 0.6 * down), to[1] - tip * (down + 0.6 * across)], to,
        [to[0] - tip * (across + 0.6 * down), to[1] - tip * (down - 0.6 * across)]], colour, 1.2);
}

function line(places, colour, width, dashes = []) {
  pen.beginPath();
  places.forEach((place, index) => index ? pen.lineTo(...place) : pen.moveTo(...place));
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.setLineDash(dashes);
  pen.stroke();
  pen.setLineDash([]);
}

function dot(place, radius, fill, outline = "#222") {
  pen.beginPath();
  pen.arc(...place, radius, 0, 7);
  if (fill) { pen.fillStyle = fill; pen.fill(); }
  pen.strokeStyle = outline;
  pen.lineWidth = 1;
  pen.stroke();
}

function drawWalks(poses) {
  if (chosen && "peak" in chosen) return drawWalk(data.traces[chosen.peak]);
  for (const pose of poses) if (pose.root !== null && (!chosen || chosen.pose === pose.number)) drawWalk(data.traces[pose.root]);
}

function drawWalk(steps) {
  for (const [, ...numbers] of steps) {
    const places = [];
    for (let at = 0; at < numbers.length; at += 2) places.push(toScreen(numbers[at], numbers[at + 1]));
    arrow(places[0], places[1], "#ff4fd8");
    line(places.slice(1), "#ffe14f", 1.5);
    places.slice(2).forEach((place, index) => dot(place, index === places.length - 3 ? 3 : 1.5, "#ffe14f"));
  }
}

function drawLimbs(poses) {
  const edges = $("vectors").value >= 0 ? [Number($("vectors").value)] : null;
  for (const [edge, parent, child, score] of data.limbs) {
    const ends = [data.peaks[parent], data.peaks[child]];
    if (ends.some(end => end[3] <= lowestPeak()) || (edges && !edges.includes(edge))) continue;
    const owners = poses.filter(pose => ends.every(([part, x, y]) => isAt(pose, part, x, y)));
    if (chosen && !owners.some(pose => pose.number === chosen.pose) && chosen.peak !== parent && chosen.peak !== child) continue;
    pen.globalAlpha = owners.length ? 1 : 0.25 + 0.75 * score;
    line(ends.map(end => toScreen(end[1], end[2])), owners.length ? "#ffe14f" : "#ff4fd8", owners.length ? 3 : 1.2,
         owners.length ? [] : [5, 4]);
  }
  pen.globalAlpha = 1;
}

function drawPeaks(poses) {
  data.peaks.forEach((peak, index) => {
    if (!isPeakShown(peak) || (chosen && "peak" in chosen && chosen.peak !== index)) return;
    dot(toScreen(peak[1], peak[2]), 2.5 + 4 * peak[3], PEAK[fate(index, poses)[0]]);
  });
}

function drawPose({keypoints, filled, score}, rank) {
  const places = keypoints.map(keypoint => keypoint && toScreen(keypoint[0], keypoint[1]));
  const alpha = part => keypoints[part][2] < FAINT ? 0.35 : 1;
  for (const [parent, child] of data.edges) {
    if (!places[parent] || !places[child]) continue;
    const sides = new Set([side(parent), side(child)].filter(each => each !== MIDDLE));
    pen.globalAlpha = Math.min(alpha(parent), alpha(child));
    line([places[parent], places[child]], "#1e1e1e", 5);
    line([places[parent], places[child]], sides.size === 1 ? [...sides][0] : MIDDLE, 3);
  }
  places.forEach((place, part) => {
    if (!place) return;
    pen.globalAlpha = alpha(part);
    dot(place, 4, filled.includes(part) ? "#1e1e1e" : side(part), filled.includes(part) ? side(part) : "#1e1e1e");
  });
  pen.globalAlpha = 1;
  const highest = places.filter(Boolean).reduce((one, other) => other[1] < one[1] ? other : one, [0, Infinity]);
  if (!isFinite(highest[1])) return;
  pen.font = "bold 13px system-ui, sans-serif";
  pen.lineWidth = 3;
  pen.strokeStyle = "#1e1e1e";
  pen.fillStyle = "#fff";
  const label = `${rank + 1}: ${number(score, 2)}`;
  pen.strokeText(label, highest[0] + 6, highest[1] - 6);
  pen.fillText(label, highest[0] + 6, highest[1] - 6);
}

// The column beside it

function tell(poses) {
  data.settings.forEach((each, index) => { $("told" + index).value = number(setting(index), each.name === "nms_radius" ? 0 : 2); });
  $("lowest-told").value = number($("lowest").value, 2);
  $("found").replaceChildren(...poses.map((pose, index) => {
    const row = document.createElement("tr");
    const root = pose.root === null ? "" : data.parts[data.peaks[pose.root][0]];
    const known = pose.keypoints.filter(Boolean).length;
    for (const text of [index + 1, number(pose.score, 3), ofPosenet ? words(root) : `${known - pose.filled.length} + ${pose.filled.length}`]) {
      row.insertCell().textContent = text;
    }
    row.className = chosen && chosen.pose === pose.number ? "chosen" : "";
    row.onclick = () => choose(chosen && chosen.pose === pose.number ? null : {pose: pose.number});
    return row;
  }));
  page.poses = poses.length;
  page.peaks = data.peaks.filter(isPeakShown).length;
}

function choose(what) {
  chosen = what;
  draw();
}

function nearestPeak(event) {
  if (!$("peaks").checked) return -1;
  let best = -1, least = 9;
  data.peaks.forEach((peak, index) => {
    const [x, y] = toScreen(peak[1], peak[2]);
    const apart = Math.hypot(x - event.offsetX, y - event.offsetY);
    if (isPeakShown(peak) && apart < least) [best, least] = [index, apart];
  });
  return best;
}

function describe(event) {
  const index = nearestPeak(event);
  if (index >= 0) {
    const [part, x, y, score] = data.peaks[index], [across, down] = toPhoto(x, y);
    return `${words(data.parts[part])}, score ${number(score, 3)}, at ${number(across, 1)}, ${number(down, 1)}: ${fate(index, found())[1]}`;
  }
  const poses = $("poses").checked ? found() : [];
  for (const [rank, pose] of poses.entries()) {
    for (const [part, keypoint] of pose.keypoints.entries()) {
      const [x, y] = keypoint ? toScreen(keypoint[0], keypoint[1]) : [NaN, NaN];
      if (!(Math.hypot(x - event.offsetX, y - event.offsetY) < 7)) continue;
      const [across, down] = toPhoto(keypoint[0], keypoint[1]), how = pose.filled.includes(part) ? ", filled in" : "";
      return `${words(data.parts[part])} of pose ${rank + 1}, score ${number(keypoint[2], 3)}, at ${number(across, 1)}, ${number(down, 1)}${how}`;
    }
  }
  return "";
}

// Setting up

function fit() {
  view.zoom = Math.min(canvas.clientWidth / data.photo.width, canvas.clientHeight / data.photo.height);
  view.x = (data.photo.width - canvas.clientWidth / view.zoom) / 2 - 0.5;
  view.y = (data.photo.height - canvas.clientHeight / view.zoom) / 2 - 0.5;
  draw();
}

function options(select, names) {
  for (const [number, name] of names) select.add(new Option(words(name), number));
}

function setUp() {
  data.settings.forEach((each, index) => {
    const label = document.createElement("label"), told = document.createElement("output"), slider = document.createElement("input");
    told.id = "told" + index;
    Object.assign(slider, {id: "setting" + index, type: "range", min: 0, max: each.steps.length - 1, step: 1, value: each.start});
    slider.setAttribute("value", each.start);
    label.append(words(each.name) + " ", told, slider);
    $("settings").append(label);
  });
  options($("map"), [[-2, "any part"], [-1, "none"], ...data.maps.each.map((map, index) => [index, map.name])]);
  options($("vectors"), [[-1, "none"], ...data.vectors.map((field, index) => [index, field.name])]);
  $("peaks-name").textContent = ofPosenet ? "candidates: peaks moved by their offset" : "peaks";
  $("edges-name").textContent = ofPosenet ? "traced edges: displacement, then refinement" : "limbs that the fields support";
  $("root-name").textContent = ofPosenet ? "root" : "parts + filled";
  const kinds = ofPosenet ? {root: "root", near: "near a pose", none: "other"} : {root: "in a pose", none: "in none"};
  for (const [kind, name] of Object.entries(kinds)) {
    const item = document.createElement("span"), colour = document.createElement("i");
    colour.style.background = PEAK[kind];
    item.append(colour, name);
    $("legend").append(item);
  }
  $("decoder").textContent = data.decoder;
  for (const input of document.querySelectorAll("input, select")) input.addEventListener("input", () => choose(null));
  readAddress();
  listen();
  photo = new Image();
  photo.onload = () => { fit(); page.ready = "yes"; };
  photo.src = data.photo.source;
}

// A page's address may say how it opens: #map=nose&vectors=0&edges=1&score_threshold=3&zoom=2
function readAddress() {
  for (const [name, text] of new URLSearchParams(location.hash.slice(1))) {
    const index = data.settings.findIndex(each => each.name === name), input = index < 0 ? $(name) : $("setting" + index);
    if (!input) continue;
    if (input.type === "checkbox") input.checked = text === "1";
    else if (input.id === "map" && data.maps.each.some(map => map.name === text)) input.value = data.maps.each.findIndex(map => map.name === text);
    else input.value = text;
  }
}

function listen() {
  let held = null, moved = false;
  window.addEventListener("resize", fit);
  window.addEventListener("hashchange", () => { readAddress(); draw(); });
  canvas.addEventListener("dblclick", fit);
  canvas.addEventListener("wheel", event => {
    event.preventDefault();
    const factor = Math.exp(-event.deltaY / 400);
    view.x += event.offsetX / view.zoom * (1 - 1 / factor);
    view.y += event.offsetY / view.zoom * (1 - 1 / factor);
    view.zoom *= factor;
    draw();
  }, {passive: false});
  canvas.addEventListener("pointerdown", event => { held = [event.offsetX, event.offsetY]; moved = false; });
  window.addEventListener("pointerup", () => { held = null; });
  canvas.addEventListener("pointermove", event => {
    $("told").textContent = describe(event);
    if (!held) return;
    moved = moved || Math.hypot(event.offsetX - held[0], event.offsetY - held[1]) > 3;
    if (!moved) return;
    view.x -= (event.offsetX - held[0]) / view.zoom;
    view.y -= (event.offsetY - held[1]) / view.zoom;
    held = [event.offsetX, event.offsetY];
    draw();
  });
  canvas.addEventListener("click", event => {
    if (moved) return;
    const peak = nearestPeak(event);
    choose(peak < 0 ? null : {peak});
  });
}

setUp();
