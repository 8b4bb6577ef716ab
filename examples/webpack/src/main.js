import { Rudolph, toBlob } from 'rudolph-web';

const [prompt, button, status, picture] = ['prompt', 'draw', 'status', 'picture'].map((id) =>
  document.getElementById(id),
);
let loading;

button.addEventListener('click', async () => {
  button.disabled = true;
  try {
    loading ??= Rudolph.load('models/embedded/', {
      onProgress: ({ loadedBytes, totalBytes }) => (status.textContent = `${loadedBytes} / ${totalBytes}`),
    });
    const rudolph = await loading;
    const task = rudolph.textToImage(prompt.value);
    for await (const event of task) {
      if (event.type === 'progress') status.textContent = `${event.stage}: ${event.done} / ${event.total}`;
    }
    const { images } = await task;
    picture.src = URL.createObjectURL(await toBlob(images[0]));
    picture.alt = prompt.value;
  } catch (error) {
    loading = undefined;
    status.textContent = error.message;
  } finally {
    button.disabled = false;
  }
});
