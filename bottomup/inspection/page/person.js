// One person, or one candidate, seen alone: part by part, and the rule that kept or dropped each candidate.
const MOST_LISTED = 12;

function choose(person, candidate = null) {
  Object.assign(state, {person, candidate});
  refresh();
  if (person !== null || candidate !== null) $("alone").scrollIntoView({block: "nearest"});
}

function refreshAlone() {
  const side = state.side, poses = posesOf(side), pose = poses.find(each => each.number === state.person && each.hidden === null);
  if (!pose) state.person = null;
  if (state.candidate !== null && fatesOf(side)[state.candidate].kind === "low") state.candidate = null;
  const box = $("alone"), candidate = state.candidate;
  box.hidden = !pose && candidate === null;
  if (box.hidden) return;
  const close = element("button", "Everybody", {title: "Esc"});
  close.addEventListener("click", () => choose(null));
  const title = pose ? `Person ${pose.rank}` : "One candidate";
  const parts = [element("header", [...(pose ? [chip(colourOf(pose.rank))] : []), element("strong", title), close])];
  if (pose) parts.push(element("p", aboutPose(pose), {className: "quiet"}), tableOf(side, pose, poses));
  if (candidate !== null) parts.push(element("p", aboutCandidate(side, candidate)));
  if (pose) parts.push(...listCandidates(side, pose));
  box.replaceChildren(...parts);
}

function aboutPose(pose) {
  const label = pose.label ? ` It is most like label ${pose.label[0] + 1}: OKS ${text(pose.label[1])}.` : data.labels ? " It is like no label." : "";
  return `Score ${text(pose.score, 3)}.${label}`;
}

const nameOf = ([part]) => part >= 0 ? words(data.parts[part]) : data.family === "boxes" ? "row" : "centre";

function aboutCandidate(side, index) {
  const peak = decoderOf(side).peaks[index], [x, y] = toPhoto(peak.slice(1, 3));
  return `${nameOf(peak)}, score ${text(peak[3], 3)}, at ${text(x, 0)}, ${text(y, 0)}: ${fatesOf(side)[index].rule}.`;
}

function tableOf(side, pose, poses) {
  const label = pose.label && data.labels.people[pose.label[0]], rows = data.parts.map((name, part) => {
    const keypoint = pose.keypoints[part], cells = [words(name), keypoint ? text(keypoint[2]) : "", howFound(side, pose, part, poses)];
    const at = label ? label[data.labels.parts.indexOf(name)] : null;
    if (label) cells.push(keypoint && at ? `${text(distance(toPhoto(keypoint), at), 1)} px` : "");
    return element("tr", cells.map(cell => element("td", cell)));
  });
  const heads = ["part", "score", "how", ...(label ? ["off label"] : [])].map(head => element("th", head));
  return element("table", [element("tr", heads), ...rows]);
}

function howFound(side, pose, part, poses) {
  const keypoint = pose.keypoints[part], {traces, peaks} = decoderOf(side);
  if (!keypoint) return "not found";
  if (pose.filled.includes(part)) return data.family === "tags"
    ? "filled in: no candidate of its own, the best cell by score and tag"
    : "filled in: no candidate of its own, the best cell by heatmap and field";
  const steps = pose.root === null ? [] : traces[pose.root];
  if (data.family === "posenet") return howTraced(side, pose, part, poses, steps, peaks);
  if (data.family === "centers") {
    const step = steps.find(each => each[0] === part);
    return step ? `found ${text(apartInPhoto(step.slice(3, 5), step.slice(5, 7)), 1)} px from where the centre points` : "";
  }
  if (data.family === "boxes") return "the row's own";
  const index = peaks.findIndex(peak => peak[0] === part && isAt(pose, peak));
  if (index < 0) return "";
  if (data.family === "tags") return `candidate, tag ${text(tagDistance(decoderOf(side).tags[index], meanTag(side, pose)))} from the person's mean`;
  const limbs = limbsOf(side).filter(limb => (limb[1] === index || limb[2] === index) && ownerOf(side, limb, poses) === pose);
  return limbs.length ? "candidate; " + limbs.map(limb => `limb to ${nameOf(peaks[limb[1] === index ? limb[2] : limb[1]])} ${text(limb[3])}`).join(", ") : "candidate";
}

function howTraced(side, pose, part, poses, steps, peaks) {
  const radius = parameter(side, "nms_radius");
  const twin = poses.find(other => other.number !== pose.number && other.score > pose.score && other.keypoints[part]
    && distance(other.keypoints[part], pose.keypoints[part]) <= radius);
  const shared = twin ? `; within nms_radius of ${who(twin)}'s, so it counts for one of them only` : "";
  if (pose.root !== null && peaks[pose.root][0] === part) return "root" + shared;
  const step = steps.find(each => each[0] === part);
  if (!step) return "found alone" + shared;
  const ends = other => [other.slice(-2), other.slice(-4, -2)];  // after the votes, and before
  const from = steps.find(other => other !== step && ends(other).some(end => distance(end, step.slice(1, 3)) < 0.01));
  const source = from ? from[0] : pose.root === null ? -1 : peaks[pose.root][0];
  const count = (step.length - 5) / 2;
  return `traced from ${words(data.parts[source] ?? "the root")}, ${count} ${count === 1 ? "correction" : "corrections"}${shared}`;
}

function listCandidates(side, pose) {
  const {peaks} = decoderOf(side), fates = fatesOf(side), low = fates.filter(fate => fate.kind === "low").length;
  const own = peaks.map((_, index) => index).filter(index => fates[index].pose === pose.number && (fates[index].kind === "dropped" || standsForPerson()));
  if (!own.length) return [element("p", "No other candidate was weighed against this person's.", {className: "quiet"})];
  own.sort((one, other) => peaks[other][3] - peaks[one][3]);
  const items = own.slice(0, MOST_LISTED).map(index => {
    const button = element("button", `${nameOf(peaks[index])} ${text(peaks[index][3])}: ${fates[index].rule}`);
    button.setAttribute("aria-pressed", state.candidate === index);
    button.addEventListener("click", () => choose(pose.number, state.candidate === index ? null : index));
    return element("li", button);
  });
  const more = own.length > MOST_LISTED ? ` ${own.length - MOST_LISTED} weaker ones are not listed.` : "";
  const below = low ? ` ${low} in the photo are below ${data.words.threshold}.` : "";
  return [element("p", [element("strong", "Candidates"), more + below], {className: "quiet"}), element("ul", items)];
}
