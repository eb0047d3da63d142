// [data-scan]: a button opens the camera; the first QR code it sees goes into the form and sends it.
for (const box of document.querySelectorAll("[data-scan]")) {
  const video = box.querySelector("video");
  const words = box.querySelector("[data-scan-words]");
  const button = box.querySelector("[data-scan-open]");
  const form = document.getElementById(box.dataset.scan);
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  let stream = null;

  const close = () => {
    stream?.getTracks().forEach((track) => track.stop());
    stream = null;
    box.removeAttribute("data-live");
  };

  const look = () => {
    if (!stream) return;
    if (video.readyState >= video.HAVE_ENOUGH_DATA) {
      // Wide enough to read a phone held at arm's length, small enough for an old one to keep up.
      const scale = Math.min(1, 800 / video.videoWidth);
      canvas.width = video.videoWidth * scale;
      canvas.height = video.videoHeight * scale;
      context.drawImage(video, 0, 0, canvas.width, canvas.height);
      const seen = jsQR(context.getImageData(0, 0, canvas.width, canvas.height).data, canvas.width, canvas.height);
      if (seen?.data) {
        close();
        form.elements.code.value = seen.data;
        form.requestSubmit();
        return;
      }
    }
    requestAnimationFrame(look);
  };

  const open = async () => {
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch {
      words.textContent = box.dataset.denied;
      return;
    }
    video.srcObject = stream;
    await video.play();
    box.setAttribute("data-live", "");
    words.textContent = box.dataset.looking;
    look();
  };

  if (navigator.mediaDevices?.getUserMedia) {
    button.hidden = false;
    button.addEventListener("click", open);
  } else {
    words.textContent = box.dataset.denied;
  }
  addEventListener("pagehide", close);
}
