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
    const kept = keptState();
    main.innerHTML = data; // made and escaped by the service, like the page itself
    showLocalTimes();
    kept();
    shownAt = clocks();
    pauseMs = retryAtMs = FIRST_RETRY_MS;
    showWhetherLive();
  });
}

/** Returns a function that gives the new content what a person has done to the old one: opened, scrolled, focused. */
function keptState() {
  const focused = document.activeElement?.id;
  const states = [...main.querySelectorAll('[id]')].map(({ id, open, scrollTop }) => ({ id, open, scrollTop }));
  return () => {
    for (const { id, open, scrollTop } of states) {
      const element = document.getElementById(id);
      if (element === null) continue;
      if (open) element.open = true;
      if (scrollTop) element.scrollTop = scrollTop;
    }
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  };
}

/** In the time zone of the reader; with the date, if that is not today's. */
function showLocalTimes() {
  const today = new Date().toDateString();
  for (const element of document.querySelectorAll('time')) {
    const at = new Date(element.dateTime);
    const [day, clock] = localText(at).split(' ');
    element.textContent = at.toDateString() === today ? clock : `${day} ${clock}`;
    element.title = `${day} ${clock} ${zoneAt(at)}`;
  }
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  document.querySelector('#zone').textContent = `${timeZone} (${zoneAt(new Date())})`;
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

showLocalTimes();
connect();
