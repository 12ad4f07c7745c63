// What states and health are called and how they are marked: [kind of mark, word, why].

export const STATES = {
  running: ["good", "running"],
  stopped: ["stopped", "stopped"],
  crashed: ["bad", "crashed"],
  "never-started": ["unknown", "never started"],
  zombie: ["odd", "zombie", "Its process runs, but it is not on the message bus."],
  hung: ["warning", "hung", "It is on the message bus but does not answer."],
};
// What needs somebody comes first.
const ORDER = ["crashed", "hung", "zombie", "running", "stopped", "never-started"];

/** The lower, the sooner somebody must look; what nobody knows comes last. */
export const urgency = (state) => (ORDER.indexOf(state) + ORDER.length + 1) % (ORDER.length + 1);

export const HEALTH = {
  good: ["good", "good"],
  bad: ["bad", "bad"],
  starting: ["warning", "starting"],
  unknown: ["unknown", "unknown"],
};
