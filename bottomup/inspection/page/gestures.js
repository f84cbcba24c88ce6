// Pointer, touch and keys.

const KEYS = [
  ["Wheel, or two fingers", "zoom the photo"], ["Drag, or arrow keys", "move it"], ["Double click, or 0", "whole photo"], ["+ and -", "zoom"],
  ["Click or tap a person or candidate", "see it alone"], ["n and p", "next and previous person"], ["Esc", "everybody"],
  ["1 to 6", "layers on and off"], ["a, b and s", "first decoder, second, side by side"],
];

function near(place, side, reach) {
  const {peaks} = decoderOf(side), isAlone = state.person !== null || state.candidate !== null;
  let candidate = null, least = reach;
  if (state.layers.peaks || isAlone) fatesOf(side).forEach((fate, index) => {
    if (fate.kind === "low" || (isAlone ? !concerns(fate, index) : !isPartShown(peaks[index][0]))) return;
    const apart = distance(toScreen(peaks[index].slice(1, 3)), place);
    if (apart < least) [candidate, least] = [index, apart];
  });
  if (candidate !== null) return {candidate};
  let pose = null, part = null;
  least = reach + 3;
  if (state.layers.poses) for (const each of shownPoses(side)) {
    if (isAlone && state.person !== each.number) continue;
    each.keypoints.forEach((keypoint, index) => {
      const apart = keypoint ? distance(toScreen(keypoint), place) : Infinity;
      if (apart < least) [pose, part, least] = [each, index, apart];
    });
    for (const edge of data.edges) {
      const ends = edge.map(end => each.keypoints[end] && toScreen(each.keypoints[end]));
      if (!ends[0] || !ends[1]) continue;
      const apart = fromLine(place, ...ends);
      if (apart < least - 3) [pose, part, least] = [each, null, apart];
    }
  }
  return pose ? {pose, part} : {};
}

function fromLine(place, from, to) {
  const along = [to[0] - from[0], to[1] - from[1]], length = along[0] ** 2 + along[1] ** 2;
  const way = length ? ((place[0] - from[0]) * along[0] + (place[1] - from[1]) * along[1]) / length : 0;
  const at = Math.max(0, Math.min(1, way));
  return distance(place, [from[0] + at * along[0], from[1] + at * along[1]]);
}

function describe(place, side) {
  const {candidate, pose, part} = near(place, side, 9);
  if (candidate !== undefined) return aboutCandidate(side, candidate);
  if (!pose) return "";
  if (part === null) return `Person ${pose.rank}, score ${text(pose.score)}`;
  const [x, y] = toPhoto(pose.keypoints[part]), filled = pose.filled.includes(part) ? ", filled in" : "";
  return `${words(data.parts[part])} of person ${pose.rank}, score ${text(pose.keypoints[part][2])}, at ${text(x, 0)}, ${text(y, 0)}${filled}`;
}

function tap(place, side, reach) {
  take(side);
  const {candidate, pose} = near(place, side, reach);
  if (candidate !== undefined) choose(state.person, candidate);
  else choose(pose ? pose.number : null);
}

function listenTo(canvas) {
  const side = Number(canvas.dataset.side), fingers = new Map();
  let isMoved = false;
  const placeOf = event => [event.offsetX, event.offsetY];
  canvas.addEventListener("pointerdown", event => {
    if (!fingers.size) isMoved = false;
    fingers.set(event.pointerId, placeOf(event));
    if (fingers.size > 1) isMoved = true;
    try { canvas.setPointerCapture(event.pointerId); } catch { /* a pointer that a test made up */ }
  });
  canvas.addEventListener("pointermove", event => {
    if (event.pointerType === "mouse") $("told").textContent = describe(placeOf(event), side);
    const before = fingers.get(event.pointerId), now = placeOf(event);
    if (!before) return;
    if (!isMoved && distance(before, now) < 4) return;
    isMoved = true;
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    fingers.set(event.pointerId, now);
    if (other) {  // the place between the fingers stays between them
      const middle = [(before[0] + other[0]) / 2, (before[1] + other[1]) / 2], next = [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2];
      const factor = Math.max(distance(now, other), 1) / Math.max(distance(before, other), 1);
      view.x -= (next[0] - middle[0]) / view.zoom;
      view.y -= (next[1] - middle[1]) / view.zoom;
      zoomAt(next, factor);
    } else move(now[0] - before[0], now[1] - before[1]);
  });
  const release = event => {
    const isLast = fingers.delete(event.pointerId) && !fingers.size;
    if (isLast && !isMoved && event.type === "pointerup") tap(placeOf(event), side, event.pointerType === "mouse" ? 9 : 18);
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => { $("told").textContent = ""; });
  canvas.addEventListener("dblclick", fit);
  canvas.addEventListener("wheel", event => {
    event.preventDefault();
    zoomAt(placeOf(event), Math.exp(-event.deltaY / 400));
  }, {passive: false});
}

function move(across, down) {
  view.x -= across / view.zoom;
  view.y -= down / view.zoom;
  draw();
}

function next(step) {
  const numbers = shownPoses(state.side).map(pose => pose.number), at = numbers.indexOf(state.person);
  if (!numbers.length) return;
  choose(numbers[at < 0 ? step > 0 ? 0 : numbers.length - 1 : (at + step + numbers.length) % numbers.length]);
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const isTyping = event.target.matches?.("select, input[type=range]"), key = event.key;
  const [canvas] = canvases(), middle = [canvas.clientWidth / 2, canvas.clientHeight / 2], names = layerNames();
  const arrows = {ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40]};
  if (key === "Escape") choose(null);
  else if (isTyping) return;
  else if (key in arrows && event.target.tagName === "CANVAS") move(...arrows[key]);
  else if (key === "+" || key === "=") zoomAt(middle, 1.25);
  else if (key === "-") zoomAt(middle, 0.8);
  else if (key === "0") fit();
  else if (key === "n" || key === "p") next(key === "n" ? 1 : -1);
  else if (data.decoders.length > 1 && "abs".includes(key)) show({a: "0", b: "1", s: "both"}[key]);
  else if (names[Number(key) - 1]) { state.layers[names[Number(key) - 1]] ^= true; refresh(); }
  else return;
  event.preventDefault();
}

function listen() {
  document.querySelectorAll("canvas").forEach(listenTo);
  window.addEventListener("keydown", press);
  window.addEventListener("resize", fit);
  window.addEventListener("hashchange", () => { readAddress(); refresh(); });
  $("in").addEventListener("click", () => zoomAt([canvases()[0].clientWidth / 2, canvases()[0].clientHeight / 2], 1.4));
  $("out").addEventListener("click", () => zoomAt([canvases()[0].clientWidth / 2, canvases()[0].clientHeight / 2], 1 / 1.4));
  $("fit").addEventListener("click", fit);
  $("photo").addEventListener("input", refresh);
  $("keys").append(...KEYS.filter(([keys]) => data.decoders.length > 1 || !keys.startsWith("a, b"))
    .map(([keys, what]) => element("li", [element("strong", keys), `: ${what}`])));
}
