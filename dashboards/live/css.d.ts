// Style sheets are imported for the bundler to find.
declare module '*.css'
