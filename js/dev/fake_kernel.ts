// A stand-in for the kernel: real delays, progress, failures and silence.
import { makeAnswer } from "./fake_answers";
import type { FakeOptions } from "./fake_canvas";
import type { FakeModel } from "./fake_model";

/** Answers as the kernel does: one job at a time, cancelled jobs said to be so, progress on the long ones. */
export function fakeKernel(options: FakeOptions): ConstructorParameters<typeof FakeModel>[1] {
  const cancelled = new Set<number>();
  let last = Promise.resolve();
  const sleep = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));
  return (message, reply) => {
    if (message.type === "painted") return;
    if (message.type === "cancel") return void cancelled.add(message.id);
    const { id, body } = message;
    if (options.silent.has(body.kind)) return;
    last = last.then(async () => {
      const cost = {
        palettes: 5,
        export: 800,
        recipe: 1,
        frame: 12,
        map: 40,
        grid: 90,
        pixel: 60,
        regions: 20,
        curve: 30,
        strip: 30,
        clusters: 1500,
        scatter: 400,
        values: 60,
        rules: 300,
        faithfulness: 3000,
      }[body.kind];
      const steps = body.kind === "clusters" ? 15 : 1;
      for (let step = 0; step < steps; step++) {
        if (cancelled.has(id)) return reply({ type: "cancelled", id });
        if (steps > 1) reply({ type: "progress", id, done: step, total: steps });
        await sleep((cost * options.delay) / steps);
      }
      if (cancelled.has(id)) return reply({ type: "cancelled", id });
      if (options.failing.has(body.kind))
        return reply({
          type: "error",
          id,
          message: `rule 'ablation' can't trace decoder.2: 18,432 kernels need 6.2 GiB, memory is 1 GiB`,
        });
      const { answer, data } = makeAnswer(body, options);
      reply({ type: "reply", id, seconds: (cost * options.delay) / 1000, of: body, body: answer }, data);
    });
  };
}
