/**
 * Keeps the page up to date, and says when it is not. Each event is the new content of `main`, and one comes every second. So
 * three seconds without an event mean that the service has died, that it stands still, or that nothing reaches it: then
 * nothing on the page is true any more, and head, title and icon say so.
 */
const SILENT_MS = 3000;

/** After this silence the connection is made anew: if the other machine has lost its power, nothing ends the old one. */
const FIRST_RETRY_MS = 10_000;
const LONGEST_RETRY_MS = 60_000; // a service that stands still finds each connection in its queue when it goes on

const main = document.querySelector('main');
const live = document.querySelector('#live');
const said = document.querySelector('#said');
const icon = document.querySelector('link[rel=icon]');
const clocks = () => [performance.now(), Date.now()]; // the first stops in suspend, the second may be set back
let events;
let shownAt = clocks();
let pauseMs = FIRST_RETRY_MS;
let retryAtMs = FIRST_RETRY_MS;

function silentMs() {
  return Math.max(...clocks().map((now, index) => now - shownAt[index]));
}

function connect() {
  events?.close();
  events = new EventSource('/-/status/events');
  events.addEventListener('message', ({ data }) => {
    const template = document.createElement('template');
    template.innerHTML = data; // made and escaped by the service, like the page itself
    showLocalTimes(template.content);
    patchChildren(main, template.content);
    shownAt = clocks();
    pauseMs = retryAtMs = FIRST_RETRY_MS;
    showWhetherLive();
  });
}

/**
 * Makes the children of one node like those of another. What is the same stays: otherwise each event would end a selection, a
 * click, a scroll, the focus, and the place of a screen reader.
 */
function patchChildren(shown, wanted) {
  let place = shown.firstChild;
  for (const next of [...wanted.childNodes]) {
    const same = next.id ? [...shown.children].find(({ id }) => id === next.id) : place;
    if (!isAlike(same, next)) {
      shown.insertBefore(next, place);
      continue;
    }
    if (same === place) place = place.nextSibling;
    else shown.insertBefore(same, place);
    patch(same, next);
  }
  while (place) {
    const after = place.nextSibling;
    place.remove();
    place = after;
  }
}

function isAlike(shown, wanted) {
  return shown?.nodeName === wanted.nodeName && shown.id === wanted.id;
}

function patch(shown, wanted) {
  if (wanted.attributes === undefined) {
    // a text
    if (shown.data !== wanted.data) shown.data = wanted.data;
    return;
  }
  for (const { name, value } of wanted.attributes) {
    if (shown.getAttribute(name) !== value) shown.setAttribute(name, value);
  }
  for (const name of shown.getAttributeNames()) {
    if (name !== 'open' && !wanted.hasAttribute(name)) shown.removeAttribute(name); // a person opens and closes
  }
  patchChildren(shown, wanted);
}

/** In the time zone of the reader; with the date, if that is not today's. */
function showLocalTimes(root) {
  const today = new Date().toDateString();
  for (const element of root.querySelectorAll('time')) {
    const at = new Date(element.dateTime);
    const [day, clock] = localText(at).split(' ');
    element.textContent = at.toDateString() === today ? clock : `${day} ${clock}`;
    element.title = `${day} ${clock} ${zoneAt(at)}`;
  }
}

function showZone() {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  const zone = zoneAt(new Date());
  document.querySelector('#zone').textContent = timeZone === zone ? zone : `${timeZone} (${zone})`;
}

/** `2026-11-26 21:03:05` */
function localText(date) {
  const [year, ...others] = [
    date.getFullYear(),
    date.getMonth() + 1,
    date.getDate(),
    date.getHours(),
    date.getMinutes(),
    date.getSeconds(),
  ];
  const [month, day, hour, minute, second] = others.map((part) => String(part).padStart(2, '0'));
  return `${year}-${month}-${day} ${hour}:${minute}:${second}`;
}

/** `GMT+1` */
function zoneAt(date) {
  const parts = new Intl.DateTimeFormat('en', { timeZoneName: 'short' }).formatToParts(date);
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? '';
}

function showWhetherLive() {
  const silent = silentMs();
  const isDead = silent >= SILENT_MS;
  const { title, icon: liveIcon } = main.querySelector('header').dataset;
  document.body.classList.toggle('dead', isDead);
  live.textContent = isDead ? `no news for ${Math.floor(silent / 1000)} s` : 'live';
  document.title = isDead ? `no news: ${title}` : title;
  if (said.textContent !== document.title) said.textContent = document.title; // a screen reader says it, when it changes
  const shownIcon = isDead ? icon.dataset.dead : liveIcon;
  if (icon.getAttribute('href') !== shownIcon) icon.setAttribute('href', shownIcon);
}

setInterval(() => {
  const silent = silentMs();
  for (const bar of main.querySelectorAll('progress')) {
    bar.value = Math.min(bar.max, Number(bar.dataset.age) + silent);
  }
  showWhetherLive();
  if (silent < retryAtMs) return;
  connect();
  pauseMs = Math.min(LONGEST_RETRY_MS, 2 * pauseMs);
  retryAtMs = silent + pauseMs;
}, 200);

showLocalTimes(document);
showZone();
connect();
