// The captcha's work: a number with which SHA-256(challenge ":" number) begins with enough zero bits.
// Our own SHA-256, in small slices: crypto.subtle is missing on plain http, and the page stays alive.
{
  const K = new Uint32Array(64);
  const START = new Uint32Array(8);
  {
    let found = 0;
    const fraction = (x) => ((x - Math.floor(x)) * 2 ** 32) >>> 0;
    for (let n = 2; found < 64; n++) {
      let prime = true;
      for (let d = 2; d * d <= n; d++) if (n % d === 0) { prime = false; break; }
      if (!prime) continue;
      if (found < 8) START[found] = fraction(Math.sqrt(n));
      K[found++] = fraction(Math.cbrt(n));
    }
  }

  const turn = (x, n) => (x >>> n) | (x << (32 - n));

  // The first word of the digest of plain letters: no more zero bits than 32 are ever asked for.
  const firstWord = (text) => {
    const length = text.length;
    const bytes = new Uint8Array(((length + 8) >> 6) * 64 + 64);
    for (let i = 0; i < length; i++) bytes[i] = text.charCodeAt(i);
    bytes[length] = 0x80;
    const view = new DataView(bytes.buffer);
    view.setUint32(bytes.length - 4, length * 8);
    const state = Uint32Array.from(START);
    const w = new Uint32Array(64);
    for (let at = 0; at < bytes.length; at += 64) {
      for (let i = 0; i < 16; i++) w[i] = view.getUint32(at + i * 4);
      for (let i = 16; i < 64; i++) {
        const a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + (turn(a, 7) ^ turn(a, 18) ^ (a >>> 3))
          + w[i - 7] + (turn(b, 17) ^ turn(b, 19) ^ (b >>> 10));
      }
      let [a, b, c, d, e, f, g, h] = state;
      for (let i = 0; i < 64; i++) {
        const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
        const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
        h = g; g = f; f = e; e = (d + one) | 0; d = c; c = b; b = a; a = (one + two) | 0;
      }
      [a, b, c, d, e, f, g, h].forEach((value, i) => { state[i] += value; });
    }
    return state[0];
  };

  const work = (box) => {
    const bits = Number(box.dataset.captcha);
    const challenge = box.querySelector("[name=captcha]").value;
    const answer = box.querySelector("[name=captcha_number]");
    const words = box.querySelector("[data-captcha-words]");
    const done = () => { words.textContent = words.dataset.done; box.dataset.solved = ""; };
    if (answer.value) { done(); return; }
    words.textContent = words.dataset.working;
    let number = 0;
    const slice = () => {
      for (const until = performance.now() + 20; performance.now() < until;) {
        for (let i = 0; i < 50; i++, number++) {
          if (firstWord(`${challenge}:${number}`) >>> (32 - bits) === 0) {
            answer.value = number;
            done();
            return;
          }
        }
      }
      setTimeout(slice, 0);
    };
    slice();
  };

  document.querySelectorAll("[data-captcha]").forEach(work);
}
