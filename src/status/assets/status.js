/** Keeps the page up to date: each event is the new content of `main`. Between two events the script moves the bars. */
const main = document.querySelector('main');
const live = document.querySelector('#live');
const events = new EventSource('/-/status/events');
let shownAt = performance.now();

events.addEventListener('message', ({ data }) => {
  main.innerHTML = data; // made and escaped by the service, like the page itself
  shownAt = performance.now();
  live.textContent = 'live';
});

events.addEventListener('error', () => {
  live.textContent = 'connection lost: this page is out of date';
});

setInterval(() => {
  for (const bar of main.querySelectorAll('progress')) {
    bar.value = Math.min(bar.max, Number(bar.dataset.age) + performance.now() - shownAt);
  }
}, 200);
