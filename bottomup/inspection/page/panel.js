// The column beside the photo: people, layers, sliders, and what to copy.

function element(kind, content = [], settings = {}) {
  const made = Object.assign(document.createElement(kind), settings);
  made.append(...[content].flat());
  return made;
}

const chip = (fill, outline) => {
  const made = element("i", [], {className: "chip"});
  made.style.background = fill ?? "transparent";
  if (outline) made.style.borderColor = outline;
  return made;
};
const dash = (colour, style = "solid") => {
  const made = element("i");
  made.style.borderTopColor = colour;
  made.style.borderTopStyle = style;
  return made;
};

const LAYERS = {
  poses: {
    name: () => "Poses",
    says: () => "The decoder's answer: people with a score of at least min_score, each person once.",
    legend: () => state.person === null
      ? [[chip(colourOf(1)), "a colour for each person"], [dash("currentColor", "dashed"), "a part filled in"]]
      : [[chip(LEFT), "left"], [chip(RIGHT), "right"], [chip(MIDDLE), "middle"], [dash("currentColor", "dashed"), "a part filled in"]],
  },
  labels: {
    name: () => "Labels",
    says: () => "What people labelled in this photo, from the COCO file.",
    legend: () => [[dash(LABEL, "dashed"), "a labelled person"]],
    isThere: () => data.labels !== null,
  },
  maps: {
    name: () => data.family === "boxes" ? "Score map" : "Heatmaps",
    says: () => data.words.maps,
    legend: () => [[element("i", [], {className: "ramp"}), "from 0 to 1"],
                   ...(data.maps.step > 1 ? [["", `the highest of ${data.maps.step} x ${data.maps.step} cells`]] : [])],
    choose: () => [[-2, data.family === "boxes" ? "all" : "all parts"], ...data.maps.each.map((map, index) => [index, map.name])],
    key: "map",
  },
  peaks: {
    name: () => data.family === "boxes" ? "Rows" : "Candidates",
    says: () => data.words.peaks,
    legend: () => [[chip(data.family === "tags" ? hue(1) : KEPT), "kept"], [chip(null, DROPPED), "dropped by a rule"],
                   [chip(null, LOW), `below ${data.words.threshold}`]],
  },
  vectors: {
    name: () => data.family === "paf" ? "Part affinity fields" : "Offsets and displacements",
    says: () => data.words.vectors,
    legend: () => [[dash(ARROW), "an arrow for each cell where the network is sure enough; fewer when zoomed out"]],
    choose: () => data.vectors.map((field, index) => [index, field.name]),
    key: "vectors",
    isThere: () => data.vectors.length > 0,
  },
  links: {
    name: () => ({posenet: "Traced edges", centers: "From centre to part", boxes: "Boxes", paf: "Limbs", tags: "Same tag"})[data.family],
    says: () => data.words.links,
    legend: () => standsForPerson() && data.family !== "boxes"
      ? [[dash(JUMP), data.family === "posenet" ? "displacement" : "where the centre points"], [dash(STEP), data.family === "posenet" ? "short offsets" : "the best cell near there"]]
      : [[dash(STEP), "kept"], [dash(JUMP, "dashed"), "dropped"]],
  },
};

const layerNames = () => Object.keys(LAYERS).filter(name => !LAYERS[name].isThere || LAYERS[name].isThere());

function buildLayers() {
  layerNames().forEach((name, index) => {
    const layer = LAYERS[name], box = element("input", [], {type: "checkbox", id: "layer-" + name});
    const about = element("div"), legend = element("div", [], {className: "legend"});
    about.append(element("p", layer.says(), {className: "quiet"}), legend);
    if (layer.choose && layer.choose().length > 1) {
      const select = element("select", layer.choose().map(([value, title]) => new Option(words(title), value)), {id: "choose-" + name});
      select.setAttribute("aria-label", layer.name());
      select.value = state[layer.key];
      select.addEventListener("input", () => { state[layer.key] = Number(select.value); refresh(); });
      about.append(select);
    }
    box.addEventListener("input", () => { state.layers[name] = box.checked; refresh(); });
    $("layers").append(element("div", [element("label", [box, layer.name(), element("kbd", String(index + 1))]), about], {className: "layer"}));
  });
}

function refreshLayers() {
  for (const name of layerNames()) {
    const box = $("layer-" + name), about = box.closest(".layer").lastChild, legend = about.querySelector(".legend");
    box.checked = state.layers[name];
    about.hidden = !box.checked;
    legend.replaceChildren(...LAYERS[name].legend().map(([mark, title]) => element("span", [mark, title])));
    const select = about.querySelector("select");
    if (select) select.value = state[LAYERS[name].key];
  }
  $("photo").nextElementSibling.value = text($("photo").value);
}

function buildSides() {
  data.decoders.forEach((decoder, side) => {
    const canvas = element("canvas", [], {tabIndex: 0}), pane = element("div", [canvas], {className: "pane"});
    canvas.dataset.side = side;
    canvas.setAttribute("role", "img");
    if (data.decoders.length > 1) pane.append(element("b", `${"AB"[side]}  ${titleOf(side)}`));
    $("panes").append(pane);
  });
  if (data.decoders.length < 2) return;
  $("sides").hidden = false;
  for (const [view, title] of [["0", "A"], ["1", "B"], ["both", "Side by side"]]) {
    const button = element("button", title, {id: "view-" + view});
    button.addEventListener("click", () => show(view));
    $("sides").append(button);
  }
}

function show(view) {
  const side = view === "both" ? state.side : Number(view);
  if (side !== state.side) state.person = state.candidate = null;
  Object.assign(state, {view, side});
  refresh();
  fit();
}

function take(side) {
  if (side === state.side) return;
  Object.assign(state, {side, person: null, candidate: null});
  buildSettings();
}

function refreshSides() {
  const panes = [...$("panes").children];
  panes.forEach((pane, side) => {
    pane.hidden = state.view !== "both" && state.view !== String(side);
    const number = shownPoses(side).length;
    pane.firstChild.setAttribute("aria-label", `The photo with ${number} ${number === 1 ? "person" : "people"} found by ${titleOf(side)}`);
  });
  for (const button of $("sides").children) button.setAttribute("aria-pressed", button.id === "view-" + state.view);
}

const titleOf = side => decoderOf(side).call.python ?? decoderOf(side).title;

function slider(title, most, start, told, change) {
  const input = element("input", [], {type: "range", min: 0, max: most, step: 1, value: start}), output = element("output", told(start));
  input.addEventListener("input", () => { change(Number(input.value)); output.value = told(Number(input.value)); });
  return element("label", [element("code", title), input, output], {className: "setting"});
}

function buildSettings() {
  const side = state.side, {settings, note, shown} = decoderOf(side), sliders = [];
  if (data.decoders.length > 1) sliders.push(element("p", [`Sliders of ${"AB"[side]}, `, element("code", titleOf(side)), ":"]));
  settings.forEach((each, index) => sliders.push(slider(each.name, each.steps.length - 1, state.steps[side][index], step => brief(each.steps[step]), step => {
    state.steps[side][index] = step;
    refresh();
  })));
  sliders.push(slider("min_score", 100, Math.round(100 * state.minScore), step => text(step / 100), step => {
    state.minScore = step / 100;
    refresh();
  }));
  $("settings").replaceChildren(...sliders);
  const names = settings.map(each => each.name).join(" and ");
  $("honest").textContent = (names ? `Each step of ${names} was decoded when this page was made. ` : "")
    + "min_score is applied here. Other parameters and values in between need a new run: copy and change one of these.";
  $("note").hidden = !note;
  $("note").textContent = note;
  $("summary").title = shown;
}

// The decoder and the command line, as the sliders have them.
function copies() {
  const {call, settings, shown} = decoderOf(state.side), chosen = {...call.given}, options = {...call.quoted};
  settings.forEach((each, index) => {
    const value = String(each.steps[state.steps[state.side][index]]);
    delete chosen[each.name];
    delete options[each.name];
    if (Number(value) === Number(call.defaults[each.name])) return;
    chosen[each.name] = value;
    options[each.name] = `${each.name}=${value}`;
  });
  const python = call.python === null ? shown : `${call.python}(${Object.entries(chosen).map(([name, value]) => `${name}=${value}`).join(", ")})`;
  let command = data.command + (call.option && call.option !== "best" ? ` --decoder ${call.option}` : "");
  for (const option of Object.values(options)) command += ` --set ${option}`;
  if (data.takes_min_score) command += ` --min-score ${brief(state.minScore)}`;
  return call.python === null ? {python} : {python, command};
}

function refreshCopies() {
  $("copies").replaceChildren(...Object.entries(copies()).map(([kind, content]) => {
    const code = element("code", content, {id: kind}), button = element("button", "Copy");
    button.setAttribute("aria-label", kind === "python" ? "Copy the decoder" : "Copy the command line");
    button.addEventListener("click", async () => {
      button.textContent = await copy(code) ? "Copied" : "Press Ctrl+C";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
    return element("div", [code, button], {className: "copy"});
  }));
}

async function copy(code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    return true;
  } catch {  // no permission, or an old browser: select the text, for the user to copy
    getSelection().selectAllChildren(code);
    return document.execCommand("copy");
  }
}

function refreshPeople() {
  const side = state.side, poses = shownPoses(side), left = posesOf(side).filter(pose => pose.hidden !== null);
  const people = poses.length === 1 ? "1 person" : `${poses.length || "No"} people`;
  const labelled = data.labels === null ? "" : `, ${data.labels.people.length} labelled`;
  $("summary").replaceChildren(`${people}${labelled}; ${data.networks}, `, element("code", titleOf(side)));
  $("people").replaceChildren(...poses.map(pose => {
    const known = pose.keypoints.filter(Boolean).length, filled = pose.filled.length;
    const facts = [`${known - filled} parts`, filled ? `${filled} filled in` : "", pose.label ? `OKS ${text(pose.label[1])}` : ""];
    const row = element("button", [chip(colourOf(pose.rank)), ...[pose.rank, text(pose.score), facts.filter(Boolean).join(", ")].map(each => element("span", String(each)))], {className: "row"});
    row.setAttribute("aria-pressed", state.person === pose.number);
    row.addEventListener("click", () => choose(state.person === pose.number ? null : pose.number));
    return row;
  }));
  $("hidden-people").hidden = !left.length;
  $("hidden-people").firstChild.textContent = `${left.length} more, left out`;
  $("hidden-people").lastChild.replaceChildren(...left.slice(0, 30).map(pose => element("p", `Score ${text(pose.score)}: ${pose.hidden}.`, {className: "quiet"})));
}
