console.log(require('debug').name, require('fs').existsSync('node_modules/mkdirp'))
