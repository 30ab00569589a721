#!/usr/bin/env python3
"""Looks at a page in headless Chromium: looks.py PAGE [FOLDER]. Screenshots go to FOLDER."""
import json
import pathlib
import sys

from browser import Browser

CONTRAST = 4.5  # WCAG AA for text
FONT_PX = 9.5  # smallest text on screen

# Everything that a person could see going wrong, as a list of sentences.
LOOK = """(() => {
  const wrong = [], root = document.documentElement, wide = root.clientWidth;
  if (root.scrollWidth > wide) wrong.push(`the page is ${root.scrollWidth} px wide`);
  const scrolls = e => e.closest('pre, .scroll');
  const seen = e => { const b = e.getBoundingClientRect(); return b.width > 0 && b.height > 0; };
  const about = e => `${e.tagName} "${(e.textContent || e.getAttribute('aria-label') || '').trim().slice(0, 40)}"`;
  for (const e of document.querySelectorAll('body *')) {
    if (!seen(e) || scrolls(e) || e.closest('svg') && e.tagName !== 'svg') continue;
    const b = e.getBoundingClientRect();
    if (b.right > wide + 0.5 || b.left < -0.5) wrong.push(`${about(e)} reaches from ${b.left} to ${b.right}`);
  }
  const light = rgb => { const c = rgb.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
      .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2]; };
  const contrast = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const ground = e => { for (; e; e = e.parentElement) {
      const c = getComputedStyle(e).backgroundColor; if (!/, 0\\)$|transparent/.test(c)) return c; } return 'rgb(255,255,255)'; };
  for (const e of document.querySelectorAll('p, h1, h2, h3, a, li, td, th, dt, dd, figcaption, .value, .what, .note, b, summary')) {
    if (seen(e) && e.textContent.trim() && contrast(getComputedStyle(e).color, ground(e)) < %(contrast)s)
      wrong.push(`${about(e)}: contrast ${contrast(getComputedStyle(e).color, ground(e)).toFixed(2)}`);
  }
  let drawings = 0;
  for (const svg of document.querySelectorAll('svg[role=img]')) {
    if (!seen(svg)) continue;
    drawings++;
    const frame = svg.getBoundingClientRect(), scale = frame.width / svg.viewBox.baseVal.width;
    const texts = [...svg.querySelectorAll('text')];
    for (const t of texts) {
      const b = t.getBoundingClientRect(), px = parseFloat(getComputedStyle(t).fontSize) * scale;
      if (px < %(font)s) wrong.push(`${svg.getAttribute('aria-label')}: ${about(t)} is ${px.toFixed(1)} px high`);
      if (b.left < frame.left - 3 || b.right > frame.right + 3) wrong.push(`${svg.getAttribute('aria-label')}: ${about(t)} sticks out`);
      if (!t.classList.contains('inside') && contrast(getComputedStyle(t).fill, ground(svg)) < %(contrast)s)
        wrong.push(`${about(t)}: contrast ${contrast(getComputedStyle(t).fill, ground(svg)).toFixed(2)}`);
    }
    for (let i = 0; i < texts.length; i++) for (let j = i + 1; j < texts.length; j++) {
      const a = texts[i].getBoundingClientRect(), b = texts[j].getBoundingClientRect();
      if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4)
        wrong.push(`${svg.getAttribute('aria-label')}: ${about(texts[i])} and ${about(texts[j])} overlap`);
    }
  }
  if (drawings < 10) wrong.push(`only ${drawings} drawings`);
  return JSON.stringify({wrong: wrong.slice(0, 20), ground: getComputedStyle(document.body).backgroundColor, drawings});
})()""" % {"contrast": CONTRAST, "font": FONT_PX}

TROUBLE = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")


def look(browser, url, width, dark):
    """(sentences about what is wrong, what was seen)"""
    browser.open(url, width, dark)
    seen = json.loads(browser.evaluate(LOOK))
    wrong = seen["wrong"]
    wrong += [f"the console says {json.dumps(p)[:300]}" for method, p in browser.events if method in TROUBLE]
    asked = {p["request"]["url"] for method, p in browser.events if method == "Network.requestWillBeSent"}
    wrong += [f"asks for {address[:200]}" for address in asked - {url}]
    return wrong, seen


def main():
    url, wrong, grounds = pathlib.Path(sys.argv[1]).resolve().as_uri(), [], set()
    with Browser() as browser:
        for width in (1280, 400):
            for dark in (False, True):
                name = f"{width}-{'dark' if dark else 'light'}"
                found, seen = look(browser, url, width, dark)
                grounds.add((dark, seen["ground"]))
                wrong += [f"{name}: {sentence}" for sentence in found]
                if len(sys.argv) > 2:
                    browser.screenshot(pathlib.Path(sys.argv[2]) / f"{name}.png")
    if len({colour for _, colour in grounds}) != 2:
        wrong.append(f"dark and light do not differ: {grounds}")
    print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
