"""Scripts for a page that find its texts, and the texts that are cut off."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tests.support.browser.chat import Chat

SAID = """() => {
  const found = [["tab", document.title]];
  const names = ["aria-label", "title", "placeholder", "alt", "aria-description", "aria-valuetext", "data-suggestion"];
  for (const el of document.querySelectorAll("body *")) {
    if (el.closest("script, style, noscript, time, svg, .katex")) continue;
    if (!el.closest("option") && !el.checkVisibility()) continue;
    const place = `${el.tagName.toLowerCase()}.${[...el.classList].join(".")}`;
    for (const name of names) found.push([`${place} ${name}`, el.getAttribute(name) ?? ""]);
    for (const node of el.childNodes) if (node.nodeType === Node.TEXT_NODE) found.push([place, node.data]);
  }
  return found.filter(([, text]) => text.trim());
}"""
"""Find every visible or announced text with its place, except dates and drawings."""

CUT = """() => {
  const ours = /[áéíóúñ]/; // a letter of the third language; what somebody wrote may be cut
  const found = [];
  const pen = document.createElement("canvas").getContext("2d");
  if (document.documentElement.scrollWidth > innerWidth) found.push("the page is wider than the screen");
  const tables = [...document.querySelectorAll(".table-scroll:has(> .admin-table)")];
  if (innerWidth < 768 && tables.some((el) => el.scrollWidth > el.clientWidth + 1)) found.push("a table scrolls sideways");
  const scrolls = (el) => el && el !== document.body && (/auto|scroll/.test(getComputedStyle(el).overflowX) || scrolls(el.parentElement));
  for (const el of document.querySelectorAll("body *")) {
    if (!el.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    const style = getComputedStyle(el);
    if (el.closest(".sr-only, .run-details, .topbar h1, svg, time") || style.display.startsWith("inline") && !el.clientWidth) continue;
    if (el.clientWidth <= 1) continue; // only read out
    const place = `${el.tagName.toLowerCase()}.${[...el.classList].join(".")}`;
    if (/^(INPUT|TEXTAREA)$/.test(el.tagName) && el.placeholder && !el.value) {
      pen.font = style.font;
      const room = (el.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight)) * (el.tagName === "INPUT" ? 1 : el.rows);
      if (pen.measureText(el.placeholder).width > room) found.push(`${place}: ${el.placeholder}`);
    }
    const own = el.innerText ?? "";
    if (!ours.test(own) || el.tagName === "SELECT") continue;
    const wide = el.scrollWidth > el.clientWidth + 1 && !/auto|scroll/.test(style.overflowX);
    const high = /hidden|clip/.test(style.overflowY) && el.scrollHeight > el.clientHeight + 2;
    const box = el.getBoundingClientRect();
    const out = (box.right > innerWidth + 1 || box.left < -1) && box.width > 0 && !scrolls(el.parentElement);
    const leaf = [...el.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && ours.test(node.data));
    if ((leaf || /hidden|clip/.test(style.overflow)) && (wide || high || out)) found.push(`${place} (${wide ? "wide" : high ? "high" : "out"}): ${own.slice(0, 60)}`);
  }
  return [...new Set(found)];
}"""
"""Find every text of the third language that does not fit its element."""


def left(tab: Chat, where: str, data: Iterable[str]) -> list[str]:
    """Return the page's texts outside the third language that match none of the patterns in `data`."""
    known = re.compile("|".join(data), re.IGNORECASE)
    found = {(place, text.strip()) for place, text in tab.page.evaluate(SAID)}
    return [
        f"{where}: {place}: {text[:120]}"
        for place, text in sorted(found)
        if re.search("[A-Za-z]", known.sub("", text))
    ]


def cut(tab: Chat, where: str) -> list[str]:
    """Return the texts that are cut off."""
    return [f"{where}: {found}" for found in tab.page.evaluate(CUT)]
