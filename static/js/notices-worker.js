// Shows the notices of static/js/notices.js where pages may not (Chrome on Android), and brings up the
// page of the job when one is pressed. It keeps nothing and answers no request.
addEventListener("install", () => skipWaiting());

addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(bringUp(event.notification.data.path));
});

async function bringUp(path) {
  const pages = await clients.matchAll({ type: "window", includeUncontrolled: true });
  const open = pages.find(({ url }) => new URL(url).pathname === path);
  return open ? open.focus() : clients.openWindow(path);
}
