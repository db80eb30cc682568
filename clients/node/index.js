'use strict';

const { BitVec } = require('./lib/bitvec.js');
const { NotFoundError, registerType } = require('./lib/register.js');

module.exports = { BitVec, NotFoundError, registerType };
