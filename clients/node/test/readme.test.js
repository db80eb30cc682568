'use strict';

// The README's examples, one after the other, as somebody would type them into one module.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { test } = require('node:test');

test('its examples run', () => {
    const root = join(__dirname, '..');
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    const examples = Array.from(readme.matchAll(/^```js\n(.*?)^```/gms), (match) => match[1]);
    assert.equal(examples.length, 2);
    const program = ['--input-type=module', '--eval', examples.join('\n')];
    execFileSync(process.execPath, program, { cwd: root, stdio: 'pipe' });
});
