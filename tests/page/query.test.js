import assert from 'node:assert/strict';
import { test } from 'node:test';
import { queryOf } from '../../assets/page/maths/query.js';

const KNOWN = {
  names: ['clip', 'methods', 'steps', 'crop'],
  defaults: { methods: 'per_frame,mgld', steps: 2, crop: '' },
  examples: ['reef'],
};

test('a link holds what differs from its default', () => {
  assert.equal(queryOf([null, ['per_frame', 'mgld'], 2, ''], KNOWN), '');
  assert.equal(queryOf([null, ['mgld'], 7, '0, 0, 50, 50'], KNOWN), 'methods=mgld&steps=7&crop=0%2C+0%2C+50%2C+50');
});

test('shipped examples go into a link by name; own clips do not', () => {
  assert.equal(queryOf([{ orig_name: 'reef.mp4' }, ['per_frame', 'mgld'], 2, ''], KNOWN), 'clip=reef');
  assert.equal(queryOf([{ path: '/tmp/x/holiday.mp4' }, ['per_frame', 'mgld'], 2, ''], KNOWN), '');
});
