/** The page of the relay: a frame with Stately's inspector, which is given what comes over the socket. The token stands behind the `#` of its address: no server is told that, and no log has it. */

/** @param inspectorUrl where Stately's inspector is, checked. */
export function pageOf(inspectorUrl: string): string {
  const url = inspectorUrl.replace(/[&<>"']/g, (character) => `&#${String(character.charCodeAt(0))};`);
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Statewarden: inspector</title>
<style>
html, body { height: 100%; margin: 0; font: 14px system-ui, sans-serif; }
iframe { width: 100%; height: 100%; border: 0; }
p { position: fixed; inset: auto 0 0; margin: 0; padding: .5em 1em; background: #222; color: #fff; }
p:empty { display: none; }
</style>
</head>
<body>
<iframe id="inspector" src="${url}" title="Stately Inspector"></iframe>
<p id="note" role="status"></p>
<script>
const frame = document.getElementById('inspector');
const note = document.getElementById('note');
const origin = new URL(frame.src).origin;
const token = new URLSearchParams(location.hash.slice(1)).get('token') ?? '';
const longest = 5000;
let waiting = [];
let isConnected = false;
const give = (message) => frame.contentWindow.postMessage(message, origin);
addEventListener('message', (event) => {
  if (event.source !== frame.contentWindow || event.data?.type !== '@statelyai.connected') return;
  isConnected = true;
  waiting.forEach(give);
  waiting = [];
});
const open = () => {
  const socket = new WebSocket('ws://' + location.host + '/?token=' + encodeURIComponent(token));
  socket.onopen = () => { note.textContent = ''; };
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (isConnected) give(message);
    else if (waiting.push(message) > longest) waiting.shift();
  };
  socket.onclose = ({ reason }) => {
    note.textContent = 'Not connected' + (reason ? ': ' + reason : ': the process has ended, or the token is wrong') + '. Trying again.';
    setTimeout(open, 2000);
  };
};
open();
</script>
</body>
</html>
`;
}
