import { io } from 'socket.io-client';
import { h, setText } from './dom.js';
import { Api } from './live/api.js';
import type { LiveSocket, LiveState } from './live/subscription.js';
import { currentTheme, onTheme, startTheme, toggleTheme } from './theme.js';
import { AlertsView } from './views/alerts-view.js';
import { openHelp } from './views/help.js';
import { RunsView } from './views/runs-view.js';
import { RunView } from './views/run-view.js';
import type { View } from './views/view.js';

const states: Readonly<Record<LiveState, string>> = {
  connecting: 'connecting',
  live: 'live',
  offline: 'offline, trying again',
  refused: 'refused',
};

startTheme();
const api = new Api();
const socket = io({
  transports: ['websocket', 'polling'],
  reconnectionDelay: 300,
  reconnectionDelayMax: 4000,
}) as unknown as LiveSocket;

const connection = h(
  'span',
  { class: 'connection', role: 'status', 'data-state': 'connecting' },
  h('i', { class: 'status-dot' }),
  h('span'),
);
const themeButton = h('button', { type: 'button', class: 'icon', onclick: toggleTheme });
const logOutButton = h('button', { type: 'button', class: 'tool', hidden: true, onclick: () => void logOut() }, 'Log out');
const nav = h('nav', { 'aria-label': 'Pages' }, h('a', { href: '/' }, 'Runs'), h('a', { href: '/alerts' }, 'Alerts'));
const outlet = h('div', { class: 'outlet' });
let view: View | undefined;

document.body.append(
  h(
    'header',
    { class: 'bar' },
    h('a', { class: 'brand', href: '/' }, h('span', { class: 'brand-mark', 'aria-hidden': 'true' }), 'Stagewatch'),
    nav,
    connection,
    logOutButton,
    themeButton,
    h('button', { type: 'button', class: 'icon', 'aria-label': 'Keys', title: 'Keys (?)', onclick: openHelp }, '?'),
  ),
  outlet,
);

function showState(state: LiveState, reason?: string): void {
  connection.dataset['state'] = state;
  setText(connection.lastElementChild!, reason ?? states[state]);
}

function showTheme(): void {
  const next = currentTheme() === 'dark' ? 'light' : 'dark';
  themeButton.setAttribute('aria-label', `Switch to ${next}`);
  themeButton.title = `Switch to ${next} (T)`;
  setText(themeButton, next === 'light' ? '☀' : '☾');
}

function open(path: string): View {
  const run = /^\/runs\/([^/]+)\/?$/.exec(path)?.[1];
  if (run !== undefined) return new RunView(decodeURIComponent(run), socket, api, showState);
  if (path.startsWith('/alerts')) {
    if (socket.connected) showState('live');
    return new AlertsView(api);
  }
  return new RunsView(socket, api, showState);
}

function show(): void {
  view?.close();
  view = open(location.pathname);
  outlet.replaceChildren(view.element);
  document.title = `${view.title} · Stagewatch`;
  for (const link of nav.querySelectorAll('a')) {
    const here = link.pathname === '/alerts' ? location.pathname.startsWith('/alerts') : !location.pathname.startsWith('/alerts');
    if (here) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  scrollTo(0, 0);
}

/** The service ends the session and hangs up on the live door; what is left is a page that asks for the token. */
async function logOut(): Promise<void> {
  await api.logOut();
  location.assign('/');
}

function go(path: string): void {
  if (path !== location.pathname) history.pushState(undefined, '', path);
  show();
}

document.addEventListener('click', (event) => {
  const link = (event.target as Element).closest?.('a');
  if (link === null || link === undefined || link.origin !== location.origin || link.target !== '') return;
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(link.pathname);
});

document.addEventListener('keydown', (event) => {
  if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey || document.querySelector('dialog[open]') !== null)
    return;
  const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
  if (typing && event.key === 'Escape') (event.target as HTMLElement).blur();
  if (typing && !event.key.startsWith('Arrow')) return;
  if (view?.onKey?.(event) === true) event.preventDefault();
  else if (event.key === '?') openHelp();
  else if (event.key === 't') toggleTheme();
  else if (event.key === 'Escape' && location.pathname !== '/') go('/');
});

// Pages without a subscription still say whether the service can be reached.
socket.on('connect', () => view instanceof AlertsView && showState('live'));
socket.on('disconnect', () => showState('offline'));
addEventListener('popstate', show);
api.hasSession().then(
  (has) => (logOutButton.hidden = !has),
  // Whoever cannot be asked has said so elsewhere on the page.
  () => (logOutButton.hidden = true),
);
onTheme(showTheme);
showTheme();
show();
setInterval(() => {
  const title = `${view?.title ?? ''} · Stagewatch`;
  if (document.title !== title) document.title = title;
}, 1000);
