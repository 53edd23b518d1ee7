// The stage as it is told to whoever looks at it. The numbers are those of manifests/examples and of the laboratory.

export const picture = `
   the internet, 198.51.100.1                     every box is a network namespace of this machine
        │
   ─────┴───────┬────────────────────────────┬──────────── 100.64.0.0/24 and the public 203.0.113.0/24
                │ ext0                       │ ext0
     ┌──────────┴───────────┐     ┌──────────┴───────────┐
     │ gateway blue         │     │ gateway green        │    in each a real supervisor: vpcgw run
     │ 203.0.113.10  → web  │     │ 203.0.113.110 → web  │
     │ 203.0.113.20  shared │     │ 203.0.113.120 shared │
     └──────────┬───────────┘     └──────────┬───────────┘
                │ vpc0, 10.0.0.1             │ vpc0, 10.0.0.1
     ──┬────────┼───────┬──       ──┬────────┴──┬─────────   both VPCs are 10.0.0.0/24
      web      app      db         web         app
      .5       .6       .7         .5          .6

   a third tenant, red, has two gateways on two nodes: they come on when one of them is to die
`;
