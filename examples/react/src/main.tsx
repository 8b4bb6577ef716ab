import { useState } from 'react';
import { createRoot } from 'react-dom/client';
import 'rudolph-web/widget';

function Page() {
  const [seeds, setSeeds] = useState<readonly number[]>([]);
  return (
    <main>
      <rudolph-widget
        model="models/embedded/"
        prompt="кот слева от ёлки"
        options={{ topK: 256 }}
        onresult={({ detail }) => {
          if (detail.task === 'draw') setSeeds([...seeds, detail.result.seed]);
        }}
      />
      <p>Зёрна: {seeds.join(', ') || 'пока нет'}</p>
    </main>
  );
}

createRoot(document.getElementById('root')!).render(<Page />);
